"""One member's view of the log: leases kept, events handed out in order, woken by NOTIFY."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from .failures import Failures
from .leases import LEASE_SECONDS, Lease, Leases
from .log import EventLog, LoggedEvent, Position
from .wake import Pace, Wake

MAX_BATCH = 500
DUE_SECONDS = 0.2
"""How often to look for events that were set aside and are due again."""


class Batch(NamedTuple):
    """Events in order within each partition, and the partitions that the member holds."""

    events: list[LoggedEvent]
    partitions: list[int]


class Subscription:
    """A member of a group, as long as its call lasts."""

    def __init__(
        self, log: EventLog, leases: Leases, failures: Failures, wake: Wake, group: str, member: str
    ) -> None:
        self._log = log
        self._leases = leases
        self._failures = failures
        self._wake = wake
        self._group = group
        self._member = member
        self._held: dict[int, Lease] = {}
        self._positions: dict[int, Position] = {}
        self._renew_at = 0.0
        self._due_at = 0.0

    async def batches(self, limit: int, stop: asyncio.Event) -> AsyncGenerator[Batch, None]:
        """Batches until `stop`; the first comes at once, empty ones tell of a changed share."""
        pace = Pace(self._wake)
        told: list[int] | None = None
        try:
            while not stop.is_set():
                pace.look()
                await self._renew()
                events = await self._next(limit)
                if events or told != list(self._held):
                    told = list(self._held)
                    yield Batch(events, told)
                if len(events) < limit:
                    await pace.rest()
        finally:
            await asyncio.shield(self._leases.release(self._group, self._member))

    async def _renew(self) -> None:
        """Keep the leases; a partition that is new, or was replayed, starts at its cursor."""
        if time.monotonic() < self._renew_at:
            return
        held = await self._leases.renew(self._group, self._member)
        self._positions = {
            partition: self._positions[partition]
            if partition in self._held and self._held[partition].epoch == lease.epoch
            else lease.position
            for partition, lease in held.items()
        }
        self._held = held
        self._renew_at = time.monotonic() + LEASE_SECONDS / 3

    async def _next(self, limit: int) -> list[LoggedEvent]:
        if not self._positions:
            return []
        # Each partition comes first in turn, so that a busy one cannot keep the others waiting.
        first = next(iter(self._positions))
        self._positions[first] = self._positions.pop(first)
        events = await self._log.read(self._positions, limit)
        for event in events:
            self._positions[event.partition] = Position(event.xid, event.seq)
        if len(events) < limit and time.monotonic() > self._due_at:
            self._due_at = time.monotonic() + DUE_SECONDS
            partitions = list(self._positions)
            events += await self._failures.due(self._group, partitions, limit - len(events))
        return events
