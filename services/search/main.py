"""Composition root of the Search service."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from clients.graph import GraphClient
from clients.search import SearchClient
from clients.tweet import TweetClient
from services.chassis import stores
from services.chassis.background import running
from services.chassis.config import Settings
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import wall_clock_ms
from services.chassis.visibility import Visibility

from .authors import Authors
from .domain_shards import Part
from .finding import Finder
from .found_tweets import FoundTweets
from .index.follower import Follower, FollowerMetrics
from .index.shard_index import ShardIndex
from .pages import Pages
from .servicer.search import DESCRIPTOR, SearchServicer
from .shards.addresses import addresses_of
from .shards.replica import LocalReplica, RemoteReplica, Replica
from .shards.scatter import Scatter
from .trends.history import TrendHistory
from .trends.reader import TrendReader
from .trends.searches import SearchCounter
from .trends.store import TrendStore
from .users.directory import DirectoryFeed, UserDirectory
from .users.found import UserPages
from .users.suggestions import Suggestions

MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service with its shard, its peers and what trends need."""
    settings, registry = runtime.settings, runtime.registry
    await stores.migrate(settings.search_dsn, MIGRATIONS, chassis=False)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(stores.open_pool(settings.search_dsn, size=2, name="search"))
        redis = await enter(stores.open_redis(settings.redis_url))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        others = addresses_of(settings.search_shards)
        part = Part(settings.search_shard, max(1, len(others)))
        folder = settings.search_folder or settings.home / "search" / part.name
        index = stack.enter_context(contextlib.closing(ShardIndex(folder)))
        found_tweets = FoundTweets(tweets)
        follower = Follower(index, part, tweets, found_tweets, FollowerMetrics(registry))
        local = LocalReplica(part.shard, index, follower)
        scatter = Scatter(await _shards(stack, settings, others, local), registry)
        store, visibility = TrendStore(redis), Visibility(graph.check_visibility)
        directory = UserDirectory()
        suggestions = Suggestions(directory, index, store, wall_clock_ms)
        searches, feed = SearchCounter(store, wall_clock_ms), DirectoryFeed(directory, graph)
        works = (follower.run(), feed.run(), suggestions.run(), searches.run())
        await enter(running(*works))
        finder = Finder(scatter, Authors(graph.lookup), None if others else index.touched)
        servicer = SearchServicer(
            finder=finder,
            pages=Pages(finder, found_tweets, graph, visibility),
            searches=searches,
            directory=directory,
            user_pages=UserPages(graph, visibility),
            suggestions=suggestions,
            trends=TrendReader(store),
            history=TrendHistory(pool),
            scatter=scatter,
            local=local,
            shard=part.shard,
        )
        yield Service({DESCRIPTOR: servicer}, {"postgres": partial(stores.check_pool, pool)})


async def _shards(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    others: Sequence[Sequence[str]],
    local: LocalReplica,
) -> list[list[Replica]]:
    """Every shard's replicas; of its own shard this process asks itself first."""
    if not others:
        return [[local]]
    shards: list[list[Replica]] = []
    for number, addresses in enumerate(others):
        replicas: list[Replica] = [
            RemoteReplica(number, await stack.enter_async_context(SearchClient(address)))
            for address in addresses
        ]
        shards.append([local] if number == settings.search_shard else replicas)
    return shards
