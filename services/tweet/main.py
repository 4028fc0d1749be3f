"""Composition root of the Tweet service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from clients.graph import GraphClient
from services.chassis import stores
from services.chassis.background import running
from services.chassis.events import servicer as events
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes, wall_clock_ms

from . import listing
from .parts import open_parts
from .servicer.tweet import DESCRIPTOR
from .store import author_ids, cache, keys, partitions, replica


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """Open what the service needs and put it together."""
    settings, registry = runtime.settings, runtime.registry
    await stores.migrate(settings.tweet_dsn, Path(__file__).parent / "migrations")
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(
            stores.open_pool(settings.tweet_dsn, size=settings.pool_size, name="tweet")
        )
        redis = await enter(stores.open_redis(settings.redis_url))
        graph = await enter(GraphClient(settings.graph_address))
        ids = await enter(leased_snowflakes(pool, runtime.instance))
        cached = await enter(cache.open_cache(redis, registry))
        dsn, draining = settings.tweet_dsn, runtime.draining
        log = await enter(events.event_servicer(pool, dsn, draining, registry))
        await enter(running(keys.keep_pruned(pool)))
        await enter(partitions.made_ahead(pool, registry))
        copy = await enter(_replica(runtime, pool))
        parts = await enter(open_parts(runtime, pool, graph, ids, cached, copy))
        yield Service(
            {DESCRIPTOR: parts, events.DESCRIPTOR: log},
            {"postgres": partial(stores.check_pool, pool)},
        )


@contextlib.asynccontextmanager
async def _replica(
    runtime: Runtime, primary: stores.Pool
) -> AsyncIterator[listing.ReplicaLists | None]:
    """The read replica's lists, None where there is none; it may be away, now and at any time."""
    settings = runtime.settings
    dsn, size = settings.tweet_replica_dsn, settings.pool_size
    if not dsn:
        yield None
        return
    async with (
        stores.open_pool(dsn, size=size, name="tweet replica", wait=False) as pool,
        replica.watching(pool, primary, runtime.registry, wall_clock_ms) as watched,
    ):
        yield listing.ReplicaLists(author_ids.AuthorIdStore(pool), watched)
