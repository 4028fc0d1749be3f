"""Reading the whole log in one order, without a group: for readers that keep their own place."""

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple

from grpc import StatusCode

from ..errors import InvalidFieldError, ServiceError
from ..stores import Pool
from .log import PARTITIONS, RETENTION_DAYS, LoggedEvent, Position
from .wake import Pace, Wake

HEARTBEAT_SECONDS = 2.0
"""After so long a reader is told that there was nothing."""

_MOMENT_ROWS = 10_000
"""Rows recorded from a moment on among which the first of the log's order is looked for.

Recording times are those of the transactions' starts, and their order is not quite the log's.
"""


class EventsPrunedError(ServiceError):
    """Something behind the position asked for is not kept any more."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EVENTS_PRUNED"
    template = "events behind this position are gone; they are kept for {retention_days} days"


class Stretch(NamedTuple):
    """Events in the log's order, and the position that is reached with them."""

    events: list[LoggedEvent]
    position: Position


class TailLog:
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

    async def now(self) -> Position:
        """The position behind which everything lies that is not settled yet."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            )
            (xid,) = await cursor.fetchone() or (0,)
            return Position(xid, 0)

    async def at(self, moment: datetime) -> Position:
        """A position behind which every event lies that was recorded at a moment or later.

        Some that were recorded a little earlier may lie behind it as well.
        """
        settled = await self.now()
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


class Tail:
    """One reader's way along the log, as long as its call lasts."""

    def __init__(self, log: TailLog, wake: Wake) -> None:
        self._log = log
        self._wake = wake

    async def start(self, after: Position | None, moment: datetime | None) -> Position:
        """Where to begin: behind a position, at a moment, or now.

        Raises INVALID_ARGUMENT for a position that this log has not reached: it is another log's,
        or the database was restored, and waiting for it could miss anything.
        """
        if after is None:
            return await (self._log.at(moment) if moment else self._log.now())
        _, following = await self._log.bounds()
        if after.xid > following:
            raise InvalidFieldError(field="after", problem="is ahead of this log")
        return after

    async def stretches(
        self, position: Position, limit: int, stop: asyncio.Event
    ) -> AsyncGenerator[Stretch, None]:
        """What lies behind a position and what is added, until `stop`.

        The first comes at once, the following ones when there are events, and empty ones while
        there are none, so that a reader knows that the log is being read. Raises EVENTS_PRUNED when
        something behind the position is gone already.
        """
        pace, told_at = Pace(self._wake), 0.0
        while not stop.is_set():
            pace.look()
            events = await self._log.read(position, limit)
            if not told_at:
                # After the read: whatever is pruned later was in it, or was settled later.
                await self._check_kept(position)
            if events:
                position = Position(events[-1].xid, events[-1].seq)
            if events or time.monotonic() - told_at > HEARTBEAT_SECONDS:
                told_at = time.monotonic()
                yield Stretch(events, position)
            if len(events) < limit:
                await pace.rest()

    async def _check_kept(self, position: Position) -> None:
        pruned, _ = await self._log.bounds()
        if position < pruned:
            raise EventsPrunedError(retention_days=RETENTION_DAYS)
