"""One member's view of the log: leases kept, events handed out in order, as they come."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from .encoding import encoded
from .failures import Failures
from .head import Head
from .leases import LEASE_SECONDS, Lease, Leases
from .log import EventLog, Position
from .wake import IDLE_POLL

MAX_BATCH = 500
DUE_SECONDS = 0.2
"""How often to look for events that were set aside and are due again."""


class Batch(NamedTuple):
    """Encoded events in order within each partition, and the partitions that the member holds."""

    events: list[bytes]
    partitions: list[int]


class Subscription:
    """A member of a group, as long as its call lasts."""

    def __init__(
        self, log: EventLog, leases: Leases, failures: Failures, head: Head, group: str, member: str
    ) -> None:
        self._log = log
        self._leases = leases
        self._failures = failures
        self._head = head
        self._group = group
        self._member = member
        self._held: dict[int, Lease] = {}
        self._positions: dict[int, Position] = {}
        self._renew_at = 0.0
        self._due_at = 0.0

    async def batches(self, limit: int, stop: asyncio.Event) -> AsyncGenerator[Batch, None]:
        """Batches until `stop`; the first comes at once, empty ones tell of a changed share."""
        told: list[int] | None = None
        try:
            while not stop.is_set():
                seen = self._head.grown.count
                await self._renew()
                events, full = await self._next(limit)
                if events or told != list(self._held):
                    told = list(self._held)
                    yield Batch(events, told)
                if not full:
                    await self._head.grown.wait(seen, IDLE_POLL)
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

    async def _next(self, limit: int) -> tuple[list[bytes], bool]:
        """Events, and whether there may be more at once."""
        if not self._positions:
            return [], False
        events, full = self._from_head(limit) or await self._from_log(limit)
        if not full and time.monotonic() > self._due_at:
            self._due_at = time.monotonic() + DUE_SECONDS
            partitions = list(self._positions)
            due = await self._failures.due(self._group, partitions, max(1, limit - len(events)))
            events += [encoded(event) for event in due]
        return events, full

    def _from_head(self, limit: int) -> tuple[list[bytes], bool] | None:
        """What is new, where every partition has been read up to the log's newest part."""
        entries = self._head.since(min(self._positions.values()), limit)
        if entries is None:
            return None
        events = [
            entry.reply
            for entry in entries
            if entry.position > self._positions.get(entry.partition, entry.position)
        ]
        if entries:
            self._advance(entries[-1].position)
        return events, len(entries) == limit

    async def _from_log(self, limit: int) -> tuple[list[bytes], bool]:
        # Each partition comes first in turn, so that a busy one cannot keep the others waiting.
        first = next(iter(self._positions))
        self._positions[first] = self._positions.pop(first)
        known = self._head.end
        events = await self._log.read(self._positions, limit)
        for event in events:
            self._positions[event.partition] = Position(event.xid, event.seq)
        if len(events) < limit:  # whatever was settled before this read was in it
            self._advance(known)
        return [encoded(event) for event in events], bool(events)

    def _advance(self, position: Position) -> None:
        """Note that no partition has anything unread up to a position."""
        self._positions = {own: max(at, position) for own, at in self._positions.items()}
