"""Reading a service's whole event log, for caches and live streams: every replica sees every event.

Unlike a consumer's group, a tail keeps its place itself and only as long as it runs; see
`clients.events` for work that must be done once.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

import structlog

from aviary.events.v1 import event_service_pb2 as pb

from .channel import Peer
from .errors import PeerError
from .events import FIRST_BACKOFF, LAST_BACKOFF, Event
from .handling import handling

MAX_BATCH = 500
POSITION_LOST = {"EVENTS_PRUNED", "INVALID_ARGUMENT"}
"""Reasons to start anew: the log does not know, or no longer holds, what follows the position."""
SILENCE_SECONDS = 5.0
"""Whoever was told nothing for so long, not even that there was nothing, is not current."""
_PATH = "/aviary.events.v1.EventService/Tail"
log = structlog.get_logger()


class Position(NamedTuple):
    """A place in the one order of a log; they compare as the events are ordered."""

    xid: int
    seq: int


class Stretch(NamedTuple):
    """Events in the log's order, and the position up to which everything has been told.

    `continuous` is false where events before these may be unknown: at the first stretch, and when
    the position was lost (the log was pruned or replaced while nobody could reach it).
    """

    events: Sequence[Event]
    position: Position
    continuous: bool


class EventTail:
    """Follows one service's log from now on, or from some seconds ago (`history_seconds`)."""

    def __init__(
        self, peer: Peer, *, history_seconds: float = 0.0, max_batch: int = MAX_BATCH
    ) -> None:
        self._peer = peer
        self._history_seconds = history_seconds
        self._max_batch = min(max_batch, MAX_BATCH)
        self._tail = peer.server_stream(_PATH, pb.TailResponse)
        self.position: Position | None = None
        """The position reached; None before the first stretch."""
        self._caught_up = False
        self._heard_at = 0.0

    @property
    def current(self) -> bool:
        """Whether the log is being read, and to its end.

        What is not known then is some milliseconds old, or where the service hangs, a few seconds.
        """
        return self._caught_up and time.monotonic() - self._heard_at < SILENCE_SECONDS

    async def stretches(self) -> AsyncGenerator[Stretch, None]:
        """Stretches without end; reconnects by itself, without repeating or skipping.

        What the reader does until it asks for the next one belongs to the traces of its events.
        """
        backoff = FIRST_BACKOFF
        while True:
            try:
                async with contextlib.aclosing(self._connected()) as stretches:
                    async for stretch in stretches:
                        backoff = FIRST_BACKOFF
                        with handling("", stretch.events):
                            yield stretch
            except PeerError as error:
                log.warning("tail ended", peer=self._peer.name, why=str(error))
                if error.reason in POSITION_LOST:
                    self.position = None
            finally:
                self._caught_up = False
            await asyncio.sleep(backoff * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _connected(self) -> AsyncGenerator[Stretch, None]:
        continuous = self.position is not None
        async with contextlib.aclosing(self._tail(self._request())) as replies:
            async for reply in replies:
                self._heard_at = time.monotonic()
                self.position = Position(reply.position.xid, reply.position.seq)
                self._caught_up = len(reply.events) < self._max_batch
                yield Stretch(reply.events, self.position, continuous)
                continuous = True

    def _request(self) -> pb.TailRequest:
        request = pb.TailRequest(max_batch=self._max_batch)
        if self.position is not None:
            request.after.xid, request.after.seq = self.position
        elif self._history_seconds:
            request.from_time.FromNanoseconds(time.time_ns() - int(self._history_seconds * 1e9))
        return request
