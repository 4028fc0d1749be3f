"""Composition root of the fan-out worker: it answers nothing but health."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from redis.exceptions import RedisError

from clients.events import EventConsumer
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.server import Runtime, Service
from services.chassis.stores import open_redis

from .fanout import ANSWER_SECONDS, Fanout
from .metrics import FanoutMetrics
from .pipeline import Pipeline
from .store import HomeLists

GROUP = "fanout"
RESTART_SECONDS = 1.0
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The worker with its subscriptions to Tweet's and Graph's logs."""
    settings = runtime.settings
    async with (
        open_redis(settings.redis_url) as redis,
        TweetClient(settings.tweet_address) as tweets,
        GraphClient(settings.graph_address) as graph,
    ):
        pipeline = Pipeline(redis, seconds=ANSWER_SECONDS)
        lists = HomeLists(redis, pipeline)
        fanout = Fanout(lists, pipeline, graph, FanoutMetrics(runtime.registry))
        tasks = [asyncio.create_task(_consume(peer, fanout, runtime)) for peer in (tweets, graph)]
        try:
            yield Service({}, {"redis": pipeline.ping})
        finally:
            runtime.draining.set()
            await asyncio.wait(tasks)


async def _consume(peer: TweetClient | GraphClient, fanout: Fanout, runtime: Runtime) -> None:
    consumer = EventConsumer(peer, group=GROUP, member=runtime.instance, transient=(RedisError,))
    while not runtime.draining.is_set():
        try:
            await consumer.run(fanout.handle, runtime.draining)
        except Exception:
            log.exception("consumer failed, starting it again", peer=peer.name)
            await asyncio.sleep(RESTART_SECONDS)
