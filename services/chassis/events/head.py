"""The newest part of the log, read and encoded once for all readers of this replica.

A reader that has caught up is served from here and costs no SQL; one that is further behind reads
for itself until it has.
"""

import asyncio
from bisect import bisect_right
from typing import NamedTuple

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from ..errors import UnavailableError
from .encoding import encoded
from .log import Position
from .wake import Pace, Wake
from .whole_log import WholeLog

KEPT = 4_096
"""Events that are kept at least, once so many were seen; at most twice as many."""
LIMIT = 1_000
RETRY_SECONDS = 0.5
log = structlog.get_logger()


class Entry(NamedTuple):
    """An event of the log, ready to be sent."""

    position: Position
    partition: int
    reply: bytes


class Head:
    """All settled events of a stretch that ends where the log does."""

    def __init__(self, source: WholeLog, wake: Wake) -> None:
        self._source = source
        self._wake = wake
        self._entries: list[Entry] = []
        self._start: Position | None = None
        self._failed = False
        self.end = Position()
        """The last event's position: all settled ones up to it are here, or before the stretch."""
        self.grown = Wake()
        """Wakes the readers: there is more, or reading has failed."""
        self.looks = 0
        """How often the log was looked at with success: a reader knows whether it is current."""

    async def run(self) -> None:
        """Follow the log, for ever."""
        pace = Pace(self._wake)
        while True:
            pace.look()
            try:
                full = await self._read()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                self._fail(error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not full:
                await pace.rest()

    def since(self, position: Position, limit: int) -> list[Entry] | None:
        """The first entries behind a position; None where the stretch begins later.

        Raises UNAVAILABLE while the log cannot be read: nobody may take that for silence.
        """
        if self._failed:
            raise UnavailableError(resource="the log")
        if self._start is None or position < self._start:
            return None
        first = bisect_right(self._entries, position, key=lambda entry: entry.position)
        return self._entries[first : first + limit]

    async def _read(self) -> bool:
        """Look once; whether there may be more at once."""
        if self._start is None:
            self._start = self.end = await self._source.last()
        events = await self._source.read(self.end, LIMIT)
        self._failed = False
        self._entries += [Entry(Position(e.xid, e.seq), e.partition, encoded(e)) for e in events]
        self.looks += 1
        if len(self._entries) > 2 * KEPT:
            self._start = self._entries[-KEPT - 1].position
            del self._entries[:-KEPT]
        if events:
            self.end = self._entries[-1].position
            self.grown.set()
        return len(events) == LIMIT

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            log.warning("the log cannot be read", why=str(error))
        self._failed = True
        self.grown.set()
