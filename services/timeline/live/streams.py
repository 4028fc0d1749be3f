"""One stream, from its cursor through what was missed to what happens now."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from clients.tail import Position
from services.chassis import sse
from services.chassis.call import Call
from services.chassis.errors import StreamExpiredError
from services.chassis.status import failure_of

from ..relations import RelationsCache
from .feed import TweetFeed
from .history import History, Record
from .hub import Hub, authors_of
from .metrics import LiveMetrics
from .outlet import Outlet
from .rendering import Renderer

KEEP_ALIVE_SECONDS = 15.0
AHEAD_SECONDS = 2.0
"""How long a stream waits for what another replica, where its cursor is from, has seen already."""
LIFE_SECONDS = 900.0
"""As long as an access token: whoever comes back must show that they still may."""
MAX_BATCH = 20
"""Records rendered together; a page of one is some 2 KB."""


class Sources(NamedTuple):
    """What the streams of a replica are made of."""

    relations: RelationsCache
    history: History
    hub: Hub
    feed: TweetFeed
    renderer: Renderer
    metrics: LiveMetrics


class Stream:
    """What one client is told; its outlet is where the hub puts what happens."""

    def __init__(self, outlet: Outlet, sources: Sources, call: Call, page_token: str) -> None:
        self._outlet = outlet
        self._relations, self._history, self._hub = sources[:3]
        self._feed, self._renderer, self._metrics = sources[3:]
        self._call = call
        self._json_call = Call(call.method, call.headers, None)
        self._json_call.takes_json = True
        self._page_token = page_token
        self._position = Position(0, 0)
        """The client knows, or need not know, everything up to here."""
        self._alive_at = self._ends_at = 0.0

    async def pieces(self, cursor: str) -> AsyncGenerator[bytes, None]:
        """Whole blocks without end; the first at once.

        What fails before the first is raised, what fails later is the last event.
        """
        await self._relations.get(self._outlet.user_id)
        opening = await self._open(cursor)
        self._ends_at = time.monotonic() + LIFE_SECONDS
        async with contextlib.aclosing(self._rest(opening)) as pieces:
            async for piece in pieces:
                now = time.monotonic()
                self._alive_at, self._outlet.sending_since = now + KEEP_ALIVE_SECONDS, now
                yield piece
                self._outlet.sending_since = math.inf

    async def _rest(self, opening: bytes) -> AsyncGenerator[bytes, None]:
        yield opening
        try:
            while self._outlet.ending is None:
                async with contextlib.aclosing(self._catch_up()) as missed:
                    async for piece in missed:
                        yield piece
                while self._outlet.ending is None and not self._outlet.overrun:
                    if piece := await self._next():
                        yield piece
            error: BaseException = self._outlet.ending
        except Exception as failed:
            self._outlet.why = "failed"
            error = failed
        self._metrics.events.labels("error").inc()
        yield sse.ending(
            failure_of(error, method=self._call.method, request_id=self._call.request_id)
        )

    async def _open(self, cursor: str) -> bytes:
        """Find the place to begin; the first block, with a gap where there is one."""
        known = sse.position_of(cursor)
        if known is not None and await self._feed.reached(known, AHEAD_SECONDS):
            self._position = known
        elif not cursor:
            self._position = self._history.position
        gap = b""
        if not self._history.holds(self._position):
            gap = self._gap(self._history.position)
        return sse.opening(self._position) + gap

    async def _catch_up(self) -> AsyncGenerator[bytes, None]:
        """What happened behind the position, until the hub can take over."""
        self._hub.detach(self._outlet)
        while self._outlet.ending is None:
            viewer = await self._relations.get(self._outlet.user_id)
            if not self._history.holds(self._position):
                yield self._gap(self._history.position)
            records, reached = self._history.after(self._position, authors_of(viewer))
            if not records and reached == self._history.position:
                # No pause since the history was read: the hub has told nothing that is behind it.
                self._position = reached
                self._hub.attach(self._outlet, viewer)
                return
            for start in range(0, len(records), MAX_BATCH):
                if piece := await self._render(records[start : start + MAX_BATCH]):
                    yield piece
            self._position = reached
            await asyncio.sleep(0)  # a long way back must not hold up the others

    async def _next(self) -> bytes:
        """The next piece; empty where there is nothing to tell yet."""
        now = time.monotonic()
        if now >= self._ends_at:
            self._outlet.end(
                StreamExpiredError(resource="the stream", seconds=int(LIFE_SECONDS)), "expired"
            )
            return b""
        records = await self._outlet.take(MAX_BATCH, max(0.0, self._alive_at - now))
        if self._outlet.ending is not None or self._outlet.overrun:
            return b""
        piece = b""
        if self._outlet.gap is not None:
            piece, self._outlet.gap = self._gap(self._outlet.gap), None
        if records:
            piece += await self._render(records)
            self._position = records[-1].position
        elif self._history.position > self._position:
            self._position = self._history.position  # nothing waits: all of it was somebody else's
        if not piece and time.monotonic() >= self._alive_at:
            return sse.keep_alive(self._position)
        return piece

    async def _render(self, records: Sequence[Record]) -> bytes:
        viewer = await self._relations.get(self._outlet.user_id)
        return await self._renderer.render(records, viewer, self._json_call)

    def _gap(self, position: Position) -> bytes:
        self._position = position
        self._metrics.events.labels("gap").inc()
        return sse.gap(self._page_token, position)
