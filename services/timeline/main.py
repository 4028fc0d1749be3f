"""Composition root of the Timeline service."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from clients.deletions import DeletionReports
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.redis_pipeline import Pipeline
from services.chassis.server import Runtime, Service
from services.chassis.stores import migrate, open_pool, open_redis

from .live.live import open_live
from .metrics import ReadMetrics
from .policy.store import PolicyStore
from .policy.watch import PolicyWatch
from .readers import Readers
from .servicer.timeline import DESCRIPTOR, TimelineServicer
from .store import RING, Lists

MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service with its stores and its two peers."""
    settings = runtime.settings
    await migrate(settings.timeline_dsn, MIGRATIONS, chassis=False)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(open_redis(settings.redis_url))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        pool = await enter(open_pool(settings.timeline_dsn, size=2, name="timeline"))
        policies = PolicyStore(pool)
        policy = await enter(PolicyWatch(policies, runtime.registry))
        pipeline = Pipeline(redis)
        lists, rings = Lists(redis, pipeline, policy), Lists(redis, pipeline, policy, RING)
        metrics = ReadMetrics(runtime.registry)
        readers = Readers(tweets, graph, lists, rings, policy, metrics)
        await enter(contextlib.aclosing(readers))
        live = await enter(
            open_live(
                tweets=tweets,
                graph=graph,
                relations=readers.relations,
                hydrator=readers.hydrator,
                home=readers.home,
                draining=runtime.draining,
                registry=runtime.registry,
                forgotten=DeletionReports(tweets, "timelines").tell,
            )
        )
        servicer = TimelineServicer(readers, live, policies)
        yield Service({DESCRIPTOR: servicer}, {"redis": pipeline.ping})
