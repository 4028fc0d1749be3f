"""The live part of a replica, opened as one: both feeds, the hub, and its streams."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from clients.channel import Peer
from clients.tail import EventTail, Position
from services.chassis.background import running
from services.chassis.call import Call
from services.chassis.errors import DrainingError, UnavailableError
from services.chassis.shelf import Shelf

from ..home import HomeTimelines
from ..hydrate import Hydrator
from ..relations import RelationsCache
from .feed import RelationsFeed, TweetFeed
from .history import KEEP_SECONDS, History
from .hub import Hub
from .metrics import LiveMetrics
from .rendering import Renderer
from .streams import Sources, Stream

START_SECONDS = 5.0
"""How long a stream waits at a replica that has just begun to read the log."""
RESTART_SECONDS = 1.0
WATCH_SECONDS = 0.5
log = structlog.get_logger()


class LiveTimelines:
    """Opens streams of home timelines."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._hub = sources.hub
        self._feed = sources.feed
        self._draining = False

    async def stream(
        self, user_id: int, cursor: str, page_token: str, call: Call
    ) -> AsyncGenerator[bytes, None]:
        """Pieces of `text/event-stream`, each of whole blocks.

        `cursor` is an event's id, or empty for from now on. One that cannot be gone on from, too
        old or no cursor at all, gives a `gap` event with `page_token`: a browser that were refused
        would never come back. Raises QUOTA_EXCEEDED, and UNAVAILABLE while the log is not read.
        """
        if self._draining:
            raise DrainingError(resource="this replica")
        if not await self._feed.reached(Position(0, 0), START_SECONDS):
            raise UnavailableError(resource="the log of tweets")
        outlet = self._hub.admit(user_id)
        try:
            stream = Stream(outlet, self._sources, call, page_token)
            async with contextlib.aclosing(stream.pieces(cursor)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._hub.leave(outlet)

    async def drain(self, draining: asyncio.Event) -> None:
        """When the replica is about to go, end all streams: their clients resume elsewhere."""
        await draining.wait()
        self._draining = True
        self._hub.end_all(DrainingError(resource="this replica"), "draining")


@contextlib.asynccontextmanager
async def open_live(
    *,
    tweets: Peer,
    graph: Peer,
    relations: RelationsCache,
    hydrator: Hydrator,
    home: HomeTimelines,
    draining: asyncio.Event,
    registry: CollectorRegistry,
    history: History | None = None,
    forgotten: Callable[[Iterable[int]], None] = lambda _: None,
) -> AsyncIterator[LiveTimelines]:
    """Follow both logs; `relations` is told what changes as long as this is entered.

    `forgotten` is told of the deleted tweets that this replica does not show any more.
    """
    metrics = LiveMetrics(registry)
    history = History() if history is None else history
    hub = Hub(relations, metrics)
    follow_graph = EventTail(graph)
    follow_tweets = EventTail(tweets, history_seconds=KEEP_SECONDS)
    feed = TweetFeed(follow_tweets, history, hub, hydrator, metrics, forgotten)
    renderer = Renderer(hydrator, home, history, metrics)
    live = LiveTimelines(Sources(relations, history, hub, feed, renderer, metrics))
    changes = RelationsFeed(follow_graph, (relations, hub, hydrator.user_shelf))
    async with running(
        _again(changes.run, follow_graph),
        _again(feed.run, follow_tweets),
        _again(hub.refresh),
        _again(hub.sweep),
        live.drain(draining),
        _watch(hydrator.tweet_shelf, follow_tweets),
        _watch(hydrator.user_shelf, follow_graph),
        _watch(hydrator.viewers.shelf, follow_tweets),
    ):
        yield live


async def _watch(shelf: Shelf[Any], tail: EventTail) -> None:
    """Let content be kept for long only as long as its changes are told."""
    while True:
        shelf.watched(tail.current)
        await asyncio.sleep(WATCH_SECONDS)


async def _again(run: Callable[[], Awaitable[None]], tail: EventTail | None = None) -> None:
    """Run for ever; after a failure from anew, because what was being told may be half told."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("live feed failed, starting it again")
        if tail is not None:
            tail.position = None
        await asyncio.sleep(RESTART_SECONDS)
