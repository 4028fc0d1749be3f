"""Composition root of the Tweet service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from clients.graph import GraphClient
from services.chassis import stores
from services.chassis.events import servicer as events
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import Snowflakes, leased_snowflakes, wall_clock_ms
from services.chassis.tokens import TokenVerifier
from services.chassis.visibility import Visibility

from . import (
    callers,
    deleting,
    favorites,
    ingesting,
    listing,
    mentions,
    messages,
    pages,
    posting,
    reading,
    retweets,
    targets,
)
from . import visibility as rules
from .servicer.deletions import DeletionMethods
from .servicer.engagement import EngagementMethods
from .servicer.lists import ListMethods
from .servicer.moments import MomentMethods
from .servicer.posts import PostMethods
from .servicer.threads import ThreadMethods
from .servicer.tweet import DESCRIPTOR
from .servicer.viewers import ViewerMethods
from .store import (
    cache,
    deletions,
    engagement,
    keys,
    lists,
    moments,
    partitions,
    posts,
    reads,
    replica,
    threads,
)
from .store import engaged as engaged_store


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
        log = await enter(events.event_servicer(pool, settings.tweet_dsn, runtime.draining))
        await enter(keys.pruning(pool))
        await enter(partitions.made_ahead(pool, registry))
        copy = await enter(_replica(runtime, pool))
        parts = await enter(_parts(runtime, pool, graph, ids, cached, copy))
        yield Service(
            {DESCRIPTOR: parts, events.DESCRIPTOR: log},
            {"postgres": partial(stores.check_pool, pool)},
        )


@contextlib.asynccontextmanager
async def _parts(
    runtime: Runtime,
    pool: stores.Pool,
    graph: GraphClient,
    ids: Snowflakes,
    cached: cache.TweetCache,
    copy: listing.ReplicaLists | None,
) -> AsyncIterator[tuple[object, ...]]:
    """The parts of the servicer, closed when what they have begun is done."""
    settings, registry = runtime.settings, runtime.registry
    write, read, paged = posts.PostStore(pool), reads.ReadStore(pool), lists.ListStore(pool)
    engaging, engaged = engagement.EngagementStore(pool), engaged_store.EngagedStore(pool)
    gone = deletions.DeletionStore(pool)
    form = messages.TweetMessages(settings.public_url)
    names = mentions.MentionResolver(graph, registry)
    visible = rules.TweetVisibility(Visibility(graph.check_visibility))
    found = targets.Targets(read)
    reader = reading.TweetReader(read, cached, form)
    poster = posting.Poster(write, found, cached, names, visible, form, ids, registry)
    liked = favorites.Favorites(engaging, cached, ids)
    shared = retweets.Retweets(engaging, reader, cached, form, ids)
    deleter = deleting.Deleter(write, gone, shared, cached, form, ids, registry)
    shown = pages.TweetPages(reader, visible, engaged, graph)
    callers_of = callers.BodyCallers(TokenVerifier(settings.jwks_path), graph.resolve_dev_key)
    ingester = ingesting.Ingester(write, read, cached, names, form, ids, settings.status_length)
    authors = listing.AuthorLists(paged, copy, registry, wall_clock_ms)
    async with deleting.cleaning(deleter):
        yield (
            PostMethods(
                callers_of,
                poster,
                ingester,
                reader,
                visible,
                write,
                paged,
                deleter,
                form,
                settings.status_length,
            ),
            ListMethods(authors, paged, read, reader, form),
            EngagementMethods(liked, shared, engaged, found, shown, visible),
            ThreadMethods(threads.ThreadStore(pool), shown, found),
            ViewerMethods(engaged),
            DeletionMethods(gone),
            MomentMethods(moments.MomentStore(pool), shown, visible, ids),
        )
    for closing in (poster, liked, shared):
        await closing.close()


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
        yield listing.ReplicaLists(lists.ListStore(pool), watched)
