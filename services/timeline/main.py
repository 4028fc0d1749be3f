"""Composition root of the Timeline service."""

import contextlib
from collections.abc import AsyncIterator

from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.server import Runtime, Service
from services.chassis.stores import open_redis

from .heads import Heads
from .home import HomeTimelines
from .hydrate import Hydrator
from .metrics import ReadMetrics
from .pipeline import Pipeline
from .rebuild import Builds
from .servicer.timeline import DESCRIPTOR, TimelineServicer
from .skeleton import Skeleton
from .sources import Truth
from .store import HomeLists
from .user_timeline import UserTimelines


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service with its Redis and its two peers."""
    settings = runtime.settings
    metrics = ReadMetrics(runtime.registry)
    async with (
        open_redis(settings.redis_url) as redis,
        TweetClient(settings.tweet_address) as tweets,
        GraphClient(settings.graph_address) as graph,
    ):
        pipeline = Pipeline(redis)
        lists = HomeLists(redis, pipeline)
        truth = Truth(tweets, graph)
        hydrator = Hydrator(tweets, graph)
        async with contextlib.aclosing(Builds(lists, truth, metrics)) as builds:
            skeleton = Skeleton(Heads(lists), builds, truth, metrics)
            servicer = TimelineServicer(
                HomeTimelines(skeleton, hydrator), UserTimelines(tweets, hydrator), hydrator, builds
            )
            yield Service({DESCRIPTOR: servicer}, {"redis": pipeline.ping})
