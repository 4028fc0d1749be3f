"""Live streams: each reads its user's changes from SQL, behind the position that its client has.

Nothing is queued for a client, so one that is slow costs nothing but its place; one that takes
nothing for ten seconds is cut off. A change is told when its transaction is settled, in the order
of (xid, seq), so a cursor skips nothing, at whichever replica it is handed back.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

import psycopg
import structlog

from services.chassis import sse
from services.chassis.background import running
from services.chassis.call import Call
from services.chassis.errors import (
    DrainingError,
    QuotaExceededError,
    ServiceError,
    StreamExpiredError,
)
from services.chassis.events.log import Position
from services.chassis.events.wake import Pace, Wake, listen
from services.chassis.status import failure_of

MAX_STREAMS = 5
"""Open streams of one user at one replica."""
MAX_BATCH = 50
KEEP_ALIVE_SECONDS = 15.0
LIFE_SECONDS = 900.0
STALL_SECONDS, CUT_SECONDS = 10.0, 5.0
SWEEP_SECONDS = 1.0
log = structlog.get_logger()


class Told(NamedTuple):
    """One event of a stream: what it is, its data as JSON, and where it stands."""

    kind: bytes
    data: bytes
    position: Position


class Source(NamedTuple):
    """Where changes come from."""

    channel: str
    """PostgreSQL's channel that says that there may be some."""
    now: Callable[[], Awaitable[Position]]
    """The position behind which everything lies that is not settled yet."""
    changed: Callable[[Collection[int], Position], Awaitable[Collection[int]]]
    """Those of some users who have settled changes behind a position."""
    read: Callable[[int, Position, int], Awaitable[Sequence[Told]]]
    """A user's settled changes behind a position, in order, at most so many."""


class Outlet:
    """One open stream as the hub sees it."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.wake = asyncio.Event()
        self.task = asyncio.current_task()
        self.ending: ServiceError | None = None
        self.sending_since = math.inf

    def end(self, error: ServiceError) -> None:
        """End the stream with this as its last event; cut it off if that is not taken."""
        if self.ending is None:
            self.ending = error
            self.wake.set()
            asyncio.get_running_loop().call_later(CUT_SECONDS, self._cut)

    def _cut(self) -> None:
        if self.task is not None:
            self.task.cancel()


class LiveHub:
    """The open streams of this replica, woken when their users have something new."""

    def __init__(self, source: Source, draining: asyncio.Event) -> None:
        self._source = source
        self._draining = draining
        self._outlets: dict[int, set[Outlet]] = {}

    async def stream(self, user_id: int, cursor: str, call: Call) -> AsyncGenerator[bytes, None]:
        """Whole blocks of `text/event-stream`, from a cursor or from now on."""
        if self._draining.is_set():
            raise DrainingError(resource="this replica")
        known = sse.position_of(cursor)
        now = await self._source.now()
        position = now if known is None else min(Position(*known), now)
        outlet = self._admit(user_id)
        try:
            yield sse.opening(position)
            async with contextlib.aclosing(self._pieces(outlet, position)) as pieces:
                async for piece in pieces:
                    outlet.sending_since = time.monotonic()
                    yield piece
                    outlet.sending_since = math.inf
            assert outlet.ending is not None
            failure = failure_of(outlet.ending, method=call.method, request_id=call.request_id)
            yield sse.ending(failure)
        finally:
            outlet.task = None
            self._outlets[user_id].discard(outlet)
            if not self._outlets[user_id]:
                del self._outlets[user_id]

    async def run(self, wake: Wake) -> None:
        """Wake the streams whose users have something new, for ever."""
        pace = Pace(wake)
        position = await self._source.now()
        while True:
            pace.look()
            try:
                reached = await self._source.now()
                if self._outlets and reached > position:
                    for user_id in await self._source.changed(list(self._outlets), position):
                        for outlet in self._outlets.get(user_id, ()):
                            outlet.wake.set()
                position = reached
            except (psycopg.Error, OSError) as error:
                log.warning("live changes not read", why=str(error))
            await pace.rest()

    async def sweep(self) -> None:
        """End streams whose clients do not read, and all when the replica is about to go."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for outlet in [o for outlets in self._outlets.values() for o in outlets]:
                if self._draining.is_set():
                    outlet.end(DrainingError(resource="this replica"))
                elif now - outlet.sending_since > STALL_SECONDS:
                    outlet.end(
                        QuotaExceededError(
                            quota="seconds without reading",
                            limit=int(STALL_SECONDS),
                            retry_after=1.0,
                        )
                    )

    def _admit(self, user_id: int) -> Outlet:
        outlets = self._outlets.setdefault(user_id, set())
        if len(outlets) >= MAX_STREAMS:
            raise QuotaExceededError(quota="open streams", limit=MAX_STREAMS, retry_after=5.0)
        outlet = Outlet(user_id)
        outlets.add(outlet)
        return outlet

    async def _pieces(self, outlet: Outlet, position: Position) -> AsyncGenerator[bytes, None]:
        ends_at = time.monotonic() + LIFE_SECONDS
        while outlet.ending is None:
            outlet.wake.clear()
            told = await self._source.read(outlet.user_id, position, MAX_BATCH)
            if told:
                position = told[-1].position
                yield b"".join(sse.event(*each) for each in told)
                continue
            if time.monotonic() >= ends_at:
                outlet.end(StreamExpiredError(resource="the stream", seconds=int(LIFE_SECONDS)))
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await outlet.wake.wait()
            if not outlet.wake.is_set():
                yield sse.keep_alive(position)


@contextlib.asynccontextmanager
async def open_hub(source: Source, dsn: str, draining: asyncio.Event) -> AsyncIterator[LiveHub]:
    """A hub, with what runs beside it."""
    hub, wake = LiveHub(source, draining), Wake()
    async with running(listen(dsn, wake, source.channel), hub.run(wake), hub.sweep()):
        yield hub
