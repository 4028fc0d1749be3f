"""Composition root of the fan-out worker: it answers nothing but health."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from redis.exceptions import RedisError

from clients.events import EventConsumer, Handler
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.background import working
from services.chassis.redis_pipeline import Pipeline
from services.chassis.redis_primary import watching_primary
from services.chassis.server import Runtime, Service
from services.chassis.stores import migrate, open_pool, open_redis

from .crossing import Crossings
from .fanout import Fanout
from .mend import Mender
from .metrics import FanoutMetrics
from .policy.store import PolicyStore
from .policy.watch import PolicyWatch
from .pushing import ANSWER_SECONDS, Pusher
from .store import RING, Lists

GROUP = "fanout"
MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The worker with its subscriptions to Tweet's and Graph's logs."""
    settings = runtime.settings
    await migrate(settings.timeline_dsn, MIGRATIONS, chassis=False)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(open_redis(settings.redis_url))
        await enter(watching_primary(redis))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        pool = await enter(open_pool(settings.timeline_dsn, size=2, name="fanout"))
        policies = await enter(PolicyWatch(PolicyStore(pool), runtime.registry))
        metrics = FanoutMetrics(runtime.registry)
        pipeline = Pipeline(redis, seconds=ANSWER_SECONDS)
        lists, rings = Lists(redis, pipeline, policies), Lists(redis, pipeline, policies, RING)
        mender = Mender(lists, tweets, graph, policies, metrics)
        pusher = Pusher(lists, rings, pipeline, metrics)
        fanout = Fanout(pusher, graph, policies, metrics)
        crossings = Crossings(
            PolicyStore(pool), policies, graph, mender, rings, metrics, runtime.instance
        )
        async with working(
            runtime.draining,
            _consume(tweets, fanout.handle, runtime),
            _consume(graph, mender.handle, runtime),
            crossings.run(runtime.draining),
        ):
            yield Service({}, {"redis": pipeline.ping})


async def _consume(peer: TweetClient | GraphClient, handler: Handler, runtime: Runtime) -> None:
    consumer = EventConsumer(peer, group=GROUP, member=runtime.instance, transient=(RedisError,))
    await consumer.keep_running(handler, runtime.draining)
