"""Reading the whole log in one order, without a group."""

from datetime import datetime

from ..stores import Pool
from .log import PARTITIONS, LoggedEvent, Position

BEGINNING = Position(1, 0)
"""Before every event: transactions are numbered from 3. Readers take zeros for no position."""

_MOMENT_ROWS = 10_000
"""Rows recorded from a moment on among which the first of the log's order is looked for.

Recording times are those of the transactions' starts, and their order is not quite the log's.
"""


class WholeLog:
    """Reads over all partitions of one database's log, in the order of (xid, seq).

    A row is read when its transaction is settled, as in `EventLog.read`: what is read later has a
    greater position, so a reader that remembers one number pair skips nothing.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, after: Position, limit: int) -> list[LoggedEvent]:
        """The first settled events behind a position.

        Each partition's index gives its candidates: an index over all would slow every write down.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT e.partition, e.xid::text::bigint, e.seq, e.event_id, e.kind, e.payload,
                       e.create_time, 0, e.traceparent
                FROM (
                  SELECT c.partition, c.xid, c.seq
                  FROM generate_series(0, %(last)s) p
                  CROSS JOIN LATERAL (
                    SELECT partition, xid, seq FROM events
                    WHERE partition = p::smallint
                      AND (xid, seq) > (%(xid)s::text::xid8, %(seq)s)
                      AND xid < pg_snapshot_xmin(pg_current_snapshot())
                    ORDER BY xid, seq LIMIT %(limit)s) c
                  ORDER BY c.xid, c.seq LIMIT %(limit)s) k
                JOIN events e USING (partition, xid, seq)
                ORDER BY e.xid, e.seq
                """,
                {"xid": str(after.xid), "seq": after.seq, "limit": limit, "last": PARTITIONS - 1},
            )
            return [LoggedEvent(*row) for row in await cursor.fetchall()]

    async def last(self) -> Position:
        """The last settled event, or the last that was pruned, or the beginning.

        Not the snapshot's `xmin`: after a crash the server hands out again the transaction ids that
        had left no trace, and events of theirs would lie in front of such a position.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT xid::text::bigint, seq FROM (
                  SELECT e.xid, e.seq FROM generate_series(0, %s) p
                  CROSS JOIN LATERAL (
                    SELECT xid, seq FROM events
                    WHERE partition = p::smallint
                      AND xid < pg_snapshot_xmin(pg_current_snapshot())
                    ORDER BY xid DESC, seq DESC LIMIT 1) e
                  UNION ALL SELECT xid, seq FROM events_pruned) known
                ORDER BY known.xid DESC, known.seq DESC LIMIT 1
                """,
                (PARTITIONS - 1,),
            )
            return max(BEGINNING, Position(*(await cursor.fetchone() or BEGINNING)))

    async def at(self, moment: datetime) -> Position:
        """A position behind which every event lies that was recorded at a moment or later.

        Some that were recorded a little earlier may lie behind it as well.
        """
        settled = await self.last()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT xid::text::bigint, seq - 1
                FROM (SELECT xid, seq FROM events
                      WHERE create_time >= %s ORDER BY create_time LIMIT %s) e
                ORDER BY e.xid, e.seq LIMIT 1
                """,
                (moment, _MOMENT_ROWS),
            )
            row = await cursor.fetchone()
            return min(Position(*row), settled) if row else settled

    async def bounds(self) -> tuple[Position, int]:
        """The last position that was pruned, and the first transaction that is still to come."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT xid::text::bigint, seq,
                       pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                FROM events_pruned
                """
            )
            xid, seq, following = await cursor.fetchone() or (0, 0, 0)
            return Position(xid, seq), following
