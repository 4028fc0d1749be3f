"""The log's SQL: appending, reading what is settled, moving cursors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from clients.context import traceparent

from ..stores import Connection, Pool

PARTITIONS = 16
CHANNEL = "aviary_events"
RETENTION_DAYS = 7


class Position(NamedTuple):
    """A place in one partition: the writing transaction, and the row within it."""

    xid: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append; `key` (an author, say) decides the partition and so the order.

    `traceparent` is the W3C trace context of the call that it comes of: by itself of the call in
    which it is made, so whoever makes it for somebody else's call names that one's.
    """

    event_id: int
    key: int
    kind: str
    payload: bytes
    traceparent: str = field(default_factory=traceparent)


class LoggedEvent(NamedTuple):
    """An event as it was appended; `attempt` counts the failed attempts before this one."""

    partition: int
    xid: int
    seq: int
    event_id: int
    kind: str
    payload: bytes
    create_time: datetime
    attempt: int
    traceparent: str


def partition_of(key: int) -> int:
    """The partition of a key. Fibonacci hashing: snowflakes differ little in their low bits."""
    return (key * 0x9E3779B97F4A7C15 >> 60) % PARTITIONS


async def append(connection: Connection, events: Sequence[NewEvent]) -> None:
    """Append events in the caller's transaction and wake the subscribers after it.

    Kinds and traces, which hold no commas, travel joined: an element of an array costs Python a
    microsecond.
    """
    await connection.execute(
        """
        INSERT INTO events (partition, event_id, kind, payload, traceparent)
        SELECT partition, event_id, kind, payload, coalesce(traceparent, '')
        FROM unnest(%b::smallint[], %b::bigint[], string_to_array(%b::text, ','), %b::bytea[],
          string_to_array(%b::text, ',')) AS e(partition, event_id, kind, payload, traceparent)
        """,
        (
            [partition_of(event.key) for event in events],
            [event.event_id for event in events],
            ",".join([event.kind for event in events]),
            [event.payload for event in events],
            ",".join([event.traceparent for event in events]),
        ),
    )
    connection.wake(CHANNEL)


class EventLog:
    """Reads of the log and its bookkeeping, for one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, positions: Mapping[int, Position], limit: int) -> list[LoggedEvent]:
        """Settled events behind the positions, in order within each partition.

        A row is settled when no transaction older than it is still open: only then can no row
        appear in front of it any more.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT e.partition, e.xid::text::bigint, e.seq, e.event_id, e.kind, e.payload,
                       e.create_time, 0, e.traceparent
                FROM unnest(%s::smallint[], %s::text[], %s::bigint[]) AS c(partition, xid, seq)
                CROSS JOIN LATERAL (
                  SELECT * FROM events
                  WHERE events.partition = c.partition
                    AND (events.xid, events.seq) > (c.xid::xid8, c.seq)
                    AND events.xid < pg_snapshot_xmin(pg_current_snapshot())
                  ORDER BY events.xid, events.seq LIMIT %s) e
                LIMIT %s
                """,
                (
                    list(positions),
                    [str(position.xid) for position in positions.values()],
                    [position.seq for position in positions.values()],
                    limit,
                    limit,
                ),
            )
            return [LoggedEvent(*row) for row in await cursor.fetchall()]

    async def positions(self, group: str, partitions: Sequence[int]) -> dict[int, Position]:
        """Where a group stands."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT partition, xid::text::bigint, seq FROM event_cursors"
                " WHERE group_name = %s AND partition = ANY(%s)",
                (group, list(partitions)),
            )
            return {row[0]: Position(row[1], row[2]) for row in await cursor.fetchall()}

    async def ack(self, group: str, member: str, positions: Mapping[int, Position]) -> int:
        """Move the group's cursors forward; how many moved (only the lease's holder may)."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE event_cursors g SET xid = c.xid::xid8, seq = c.seq
                FROM unnest(%s::smallint[], %s::text[], %s::bigint[]) AS c(partition, xid, seq)
                WHERE g.group_name = %s AND g.member = %s AND g.partition = c.partition
                  AND (g.xid, g.seq) < (c.xid::xid8, c.seq)
                """,
                (
                    list(positions),
                    [str(position.xid) for position in positions.values()],
                    [position.seq for position in positions.values()],
                    group,
                    member,
                ),
            )
            return cursor.rowcount

    async def rewind(self, group: str, positions: Mapping[int, Position]) -> None:
        """Put the group's cursors anywhere.

        Its members lose their leases: what they still acknowledge is of before, and must not move
        the cursors on. They take them again within a moment, and begin there.
        """
        async with self._pool.connection() as connection, connection.transaction():
            for partition, position in positions.items():
                await connection.execute(
                    "INSERT INTO event_cursors (group_name, partition, xid, seq)"
                    " VALUES (%(group)s, %(partition)s, %(xid)s::text::xid8, %(seq)s)"
                    " ON CONFLICT (group_name, partition)"
                    " DO UPDATE SET xid = excluded.xid, seq = excluded.seq,"
                    "   epoch = event_cursors.epoch + 1, member = '',"
                    "   lease_until = '-infinity'",
                    {
                        "group": group,
                        "partition": partition,
                        "xid": str(position.xid),
                        "seq": position.seq,
                    },
                )

    async def positions_at(self, moment: datetime) -> dict[int, Position]:
        """The last position before a moment, in each partition."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT p, coalesce(e.xid::text::bigint, 0), coalesce(e.seq, 0)
                FROM generate_series(0, %s) p
                LEFT JOIN LATERAL (
                  SELECT xid, seq FROM events
                  WHERE partition = p AND create_time < %s
                  ORDER BY xid DESC, seq DESC LIMIT 1) e ON true
                """,
                (PARTITIONS - 1, moment),
            )
            return {row[0]: Position(row[1], row[2]) for row in await cursor.fetchall()}

    async def prune(self) -> int:
        """Delete events past retention, a bounded number at a time; how many went.

        The greatest position among them is kept in the same statement: who reads from before it
        is told that something is missing.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                WITH gone AS (
                  DELETE FROM events WHERE (partition, xid, seq) IN (
                    SELECT partition, xid, seq FROM events
                    WHERE create_time < now() - %s * interval '1 day' LIMIT 5000)
                  RETURNING xid, seq),
                last AS (SELECT xid, seq FROM gone ORDER BY xid DESC, seq DESC LIMIT 1),
                noted AS (
                  UPDATE events_pruned p SET xid = last.xid, seq = last.seq FROM last
                  WHERE (p.xid, p.seq) < (last.xid, last.seq))
                SELECT count(*) FROM gone
                """,
                (RETENTION_DAYS,),
            )
            (count,) = await cursor.fetchone() or (0,)
            return int(count)

    async def lag(self, group: str) -> list[tuple[str, int, float, int, int, list[str]]]:
        """Per group (all when empty): name, backlog, its age in seconds, retries, dead, members."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT g.group_name, coalesce(sum(b.n), 0)::bigint,
                       coalesce(extract(epoch FROM now() - min(b.oldest)), 0)::float8,
                       (SELECT count(*) FROM event_failures f
                         WHERE f.group_name = g.group_name AND NOT dead),
                       (SELECT count(*) FROM event_failures f
                         WHERE f.group_name = g.group_name AND dead),
                       ARRAY(SELECT member FROM event_members m
                         WHERE m.group_name = g.group_name AND seen_until > now() ORDER BY member)
                FROM event_cursors g
                LEFT JOIN LATERAL (
                  SELECT count(*) AS n, min(create_time) AS oldest FROM events e
                  WHERE e.partition = g.partition AND (e.xid, e.seq) > (g.xid, g.seq)) b ON true
                WHERE %s IN ('', g.group_name)
                GROUP BY g.group_name ORDER BY g.group_name
                """,
                (group,),
            )
            return await cursor.fetchall()
