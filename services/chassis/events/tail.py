"""One reader's way along the whole log, for readers that keep their own place."""

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple

from grpc import StatusCode

from ..errors import InvalidFieldError, ServiceError
from .encoding import encoded
from .head import Head
from .log import RETENTION_DAYS, Position
from .wake import IDLE_POLL
from .whole_log import WholeLog

HEARTBEAT_SECONDS = 2.0
"""After so long a reader is told that there was nothing."""


class EventsPrunedError(ServiceError):
    """Something behind the position asked for is not kept any more."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EVENTS_PRUNED"
    template = "events behind this position are gone; they are kept for {retention_days} days"


class Step(NamedTuple):
    """Encoded events in the log's order, and the position that is reached with them."""

    events: list[bytes]
    position: Position


class Tail:
    """Follows the log, as long as its call lasts."""

    def __init__(self, log: WholeLog, head: Head) -> None:
        self._log = log
        self._head = head

    async def start(self, after: Position | None, moment: datetime | None) -> Position:
        """Where to begin: behind a position, at a moment, or now.

        Raises INVALID_ARGUMENT for a position that this log has not reached: it is another log's,
        or the database was restored, and waiting for it could miss anything.
        """
        if after is None:
            return await (self._log.at(moment) if moment else self._log.last())
        _, following = await self._log.bounds()
        if after.xid > following:
            raise InvalidFieldError(field="after", problem="is ahead of this log")
        return after

    async def steps(
        self, position: Position, limit: int, stop: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        """What lies behind a position and what is added, until `stop`.

        The first comes at once, the following ones when there are events, and empty ones while
        there are none, so that a reader knows that the log is being read. Raises EVENTS_PRUNED when
        something behind the position is gone already.
        """
        told_at, looks = 0.0, 0
        while not stop.is_set():
            seen, before = self._head.grown.count, self._head.looks
            events, last, full = await self._next(position, limit)
            if not told_at:
                # After the read: whatever is pruned later was in it, or was settled later.
                await self._check_kept(position)
            position = last
            due = time.monotonic() - told_at > HEARTBEAT_SECONDS and before > looks
            if events or due or not told_at:
                told_at, looks = time.monotonic(), before
                yield Step(events, position)
            if not full:
                await self._head.grown.wait(seen, IDLE_POLL)

    async def _next(self, position: Position, limit: int) -> tuple[list[bytes], Position, bool]:
        """Events, the last one's position, and whether there may be more at once."""
        entries = self._head.since(position, limit)
        if entries is not None:
            last = entries[-1].position if entries else position
            return [entry.reply for entry in entries], last, len(entries) == limit
        events = await self._log.read(position, limit)
        last = Position(events[-1].xid, events[-1].seq) if events else position
        return [encoded(event) for event in events], last, bool(events)

    async def _check_kept(self, position: Position) -> None:
        pruned, _ = await self._log.bounds()
        if position < pruned:
            raise EventsPrunedError(retention_days=RETENTION_DAYS)
