"""Acknowledging what was handled, several batches at a time."""

import time
from collections.abc import Collection, Sequence

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb

from .channel import Peer

ACK_SECONDS = 0.1
"""How long what was handled may wait: each acknowledgement is a commit in the log's database, and
after a crash what was not acknowledged comes again."""


class Acks:
    """The acknowledgements of one member of a group."""

    def __init__(self, peer: Peer, group: str, member: str) -> None:
        self._ack = peer.unary("/aviary.events.v1.EventService/Ack", pb.AckResponse)
        self._group = group
        self._member = member
        self._cursors: dict[int, event_pb2.Cursor] = {}
        self._retried: list[int] = []
        self._due_at: float | None = None

    def note(self, events: Sequence[event_pb2.Event], failed: Collection[int]) -> None:
        """Note a batch as handled but for those that failed, which were set aside."""
        self._cursors |= {event.partition: event.cursor for event in events if not event.attempt}
        self._retried += [e.event_id for e in events if e.attempt and e.event_id not in failed]
        if self._due_at is None:
            self._due_at = time.monotonic() + ACK_SECONDS

    def left(self) -> float | None:
        """Seconds until what was noted is due; None where nothing was."""
        return None if self._due_at is None else max(0.0, self._due_at - time.monotonic())

    def forget(self) -> None:
        """Drop what was noted: it comes again."""
        self._cursors, self._retried, self._due_at = {}, [], None

    async def send(self) -> None:
        """Acknowledge what was noted, if anything was."""
        if self._due_at is None:
            return
        request = pb.AckRequest(
            group=self._group,
            member=self._member,
            cursors=[
                pb.PartitionCursor(partition=partition, cursor=cursor)
                for partition, cursor in self._cursors.items()
            ],
            retried_event_ids=self._retried,
        )
        self.forget()
        await self._ack(request)
