"""Composition root of the trends worker: it follows Tweet's log, counts, and ranks."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from clients.deletions import DeletionReports
from clients.events import EventConsumer, Handler
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.background import working
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import wall_clock_ms
from services.chassis.stores import check_pool, migrate, open_pool, open_redis

from .counter import TrendCounter
from .history import TrendHistory
from .ranker import Ranker
from .store import TrendStore
from .terms import TermFinder

GROUP = "trends"
MIGRATIONS = Path(__file__).parents[1] / "migrations"
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The worker with its subscription to Tweet's log."""
    settings, registry = runtime.settings, runtime.registry
    await migrate(settings.search_dsn, MIGRATIONS, chassis=False)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(open_redis(settings.redis_url))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        pool = await enter(open_pool(settings.search_dsn, size=2, name="trends"))
        store = TrendStore(redis)
        reports = DeletionReports(tweets, "trends")
        counter = TrendCounter(store, graph, TermFinder(), registry, wall_clock_ms)
        ranker = Ranker(store, TrendHistory(pool), runtime.instance, registry, wall_clock_ms)
        consuming = _consume(tweets, reports.telling(counter.handle), runtime)
        await enter(working(runtime.draining, consuming, ranker.run(runtime.draining)))
        yield Service({}, {"postgres": lambda: check_pool(pool)})


async def _consume(tweets: TweetClient, handler: Handler, runtime: Runtime) -> None:
    consumer = EventConsumer(tweets, group=GROUP, member=runtime.instance, transient=(RedisError,))
    await consumer.keep_running(handler, runtime.draining)
