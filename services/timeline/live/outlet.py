"""One open stream as the feed sees it: a bounded queue, and why it must end."""

import asyncio
import contextlib
import math
from collections import deque

from clients.tail import Position
from services.chassis.errors import QuotaExceededError, ServiceError

from .history import Record

MAX_WAITING = 1_000
"""Records that may wait. They are shared by all streams, so that a full queue takes 8 KB; what a
stream has rendered and not sent is one piece."""
STALL_SECONDS = 10.0
"""A client that has not taken a piece for so long is not reading. Until then the Envoy
host has taken up to 10 MB on its behalf (measured with 32 KB tweets), grpcio one piece."""
CUT_SECONDS = 5.0
"""A client that does not even take the last event in this time is cut off."""
RETRY_SECONDS = 1.0


class Outlet:
    """A queue of records for one stream of one user."""

    __slots__ = (
        "_task",
        "_waiting",
        "_wake",
        "ending",
        "gap",
        "overrun",
        "sending_since",
        "user_id",
        "why",
    )

    def __init__(self, user_id: int, task: "asyncio.Task[object] | None") -> None:
        self.user_id = user_id
        self._task = task
        self._waiting: deque[Record] = deque()
        self._wake = asyncio.Event()
        self.ending: ServiceError | None = None
        """What to tell the client last, as soon as this is set."""
        self.why = "client"
        """Why the stream ended."""
        self.gap: Position | None = None
        """Where the waiting records begin, when those before them are unknown."""
        self.overrun = False
        """Whether more came than may wait: the stream must read on in the history."""
        self.sending_since = math.inf
        """Since when (`time.monotonic()`) the client has a piece to take."""

    def put(self, record: Record) -> None:
        """Queue a record; when there is one too many, all are left to the history."""
        if self.ending is not None or self.overrun:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self.overrun = True
        else:
            self._waiting.append(record)
        self._wake.set()

    def reset(self) -> None:
        """Nothing waits: the stream reads in the history."""
        self._waiting.clear()
        self.overrun, self.gap = False, None

    def end_if_stalled(self, now: float) -> None:
        """End the stream when its client does not read."""
        if now - self.sending_since > STALL_SECONDS:
            stalled = QuotaExceededError(
                quota="seconds without reading", limit=int(STALL_SECONDS), retry_after=RETRY_SECONDS
            )
            self.end(stalled, "slow")

    def interrupt(self, since: Position) -> None:
        """Tell the client that something before this position may be missing."""
        self._waiting.clear()
        self.gap = since
        self._wake.set()

    def end(self, error: ServiceError, why: str) -> None:
        """End the stream with this as its last event; cut it off if that is not taken."""
        if self.ending is None:
            self.ending, self.why = error, why
            self._waiting.clear()
            self._wake.set()
            asyncio.get_running_loop().call_later(CUT_SECONDS, self._cut)

    async def take(self, limit: int, seconds: float) -> list[Record]:
        """Waiting records, once there are any; none when the time is over or the stream ends."""
        if not (self._waiting or self.gap or self.overrun or self.ending):
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def left(self) -> None:
        """The stream has ended: there is nothing to cut off any more."""
        self._task = None

    def _cut(self) -> None:
        if self._task is not None:
            self._task.cancel()
