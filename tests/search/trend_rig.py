"""Trends on real stores, with a clock of the test's own and accounts that need no Graph."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from aviary.events.v1 import payload_pb2
from aviary.graph.v1.user_pb2 import User
from aviary.search.v1 import search_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.events import Event
from services.chassis.stores import Pool, Redis, migrate, open_pool, open_redis
from services.search.domain_trends import HOUR_MS, Kind
from services.search.trends.counter import TrendCounter
from services.search.trends.history import TrendHistory
from services.search.trends.ranker import Ranker
from services.search.trends.store import TrendStore
from services.search.trends.terms import TermFinder
from services.search.trends.worker import MIGRATIONS

NOON_MS = 489_000 * HOUR_MS
_ids = itertools.count(1)


class People:
    """Accounts, open unless they are named as protected or missing."""

    def __init__(self) -> None:
        self.protected: set[int] = set()
        self.missing: set[int] = set()
        self.asked = 0

    async def get_users(self, user_ids: Collection[int]) -> Sequence[User]:
        self.asked += len(user_ids)
        return [
            User(user_id=user_id, protected=user_id in self.protected)
            for user_id in user_ids
            if user_id not in self.missing
        ]


class Rig:
    """Everything that trends are made of."""

    def __init__(self, redis: Redis, pool: Pool) -> None:
        self.now_ms = NOON_MS + HOUR_MS // 2
        self.redis = redis
        self.people = People()
        self.store = TrendStore(redis, max_members=500)
        self.history = TrendHistory(pool)
        self.counter = self.new_counter()
        self.ranker = self.new_ranker()

    def new_counter(self) -> TrendCounter:
        registry = CollectorRegistry()
        return TrendCounter(self.store, self.people, TermFinder(), registry, lambda: self.now_ms)

    def new_ranker(self, **options: int) -> Ranker:
        registry = CollectorRegistry()
        return Ranker(self.store, self.history, "me", registry, lambda: self.now_ms, **options)

    def tweet(self, user_id: int, status: str, tags: Iterable[str] = (), age_ms: int = 0) -> Tweet:
        tweet = Tweet(tweet_id=next(_ids), user_id=user_id, status=status)
        tweet.create_time.FromMilliseconds(self.now_ms - age_ms)
        for tag in tags:
            start = status.index(f"#{tag}")
            tweet.entities.hashtags.add(start=start, end=start + len(tag) + 1, tag=tag)
        return tweet

    async def post(self, tweets: Iterable[Tweet]) -> list[Event]:
        events = [
            Event(
                event_id=next(_ids),
                kind="TweetCreated",
                payload=payload_pb2.TweetCreated(tweet=tweet).SerializeToString(),
            )
            for tweet in tweets
        ]
        await self.counter.handle(events)
        return events

    async def say(self, user_ids: Iterable[int], status: str, *tags: str) -> list[Event]:
        return await self.post(self.tweet(user_id, status, tags) for user_id in user_ids)

    async def delete(self, tweets: Iterable[Tweet]) -> None:
        await self.counter.handle(
            [
                Event(
                    event_id=next(_ids),
                    kind="TweetDeleted",
                    payload=payload_pb2.TweetDeleted(
                        tweet_id=tweet.tweet_id, user_id=tweet.user_id, tweet=tweet
                    ).SerializeToString(),
                )
                for tweet in tweets
            ]
        )

    async def trends(self, kind: Kind = Kind.HASHTAG) -> dict[str, int]:
        """Volumes by name, in their order."""
        ranking = await self.ranker.rank()
        return {trend.name: trend.volume for trend in ranking.trends if trend.kind == kind.value}

    async def first(self, name: str) -> pb.ListTrendsResponse:
        ranking = await self.ranker.rank()
        assert ranking.trends[0].name == name
        return ranking


@contextlib.asynccontextmanager
async def trend_rig(dsn: str, redis_url: str) -> AsyncIterator[Rig]:
    await migrate(dsn, Path(MIGRATIONS), chassis=False)
    async with open_pool(dsn, size=2, name="test") as pool, open_redis(redis_url) as redis:
        yield Rig(redis, pool)
