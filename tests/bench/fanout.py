"""The worker's own part: deliveries to full lists in a real Redis, and that Redis' limit."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import redis.asyncio as redis
from prometheus_client import CollectorRegistry

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated
from clients.graph import FollowerList
from services.chassis.snowflake import Snowflakes
from services.chassis.stores import open_redis
from services.timeline import domain
from services.timeline.fanout import Fanout
from services.timeline.metrics import FanoutMetrics
from services.timeline.pipeline import Pipeline
from services.timeline.store import HomeLists, key_of

AUTHORS, FOLLOWERS = 100, 100
Work = Callable[[], Awaitable[int]]


class FixedGraph:
    """Every author has the same number of followers, all with full lists."""

    async def follower_ids(self, user_ids: Iterable[int]) -> dict[int, FollowerList]:
        return {user_id: FollowerList(self._packed(user_id), FOLLOWERS) for user_id in user_ids}

    def _packed(self, author: int) -> bytes:
        first = author * FOLLOWERS
        return b"".join(n.to_bytes(8, "big") for n in range(first, first + FOLLOWERS))


@contextlib.asynccontextmanager
async def delivering(redis_url: str) -> AsyncIterator[tuple[Work, Work]]:
    """Two kinds of work: a batch of tweets through the worker, and redis-py's own pipeline."""
    ids = Snowflakes(1, after_ms=0)
    entry = domain.pack(1, 1, 0)
    async with open_redis(redis_url) as client:
        readers = [
            reader
            for author in range(1, AUTHORS + 1)
            for reader in (author, *range(author * FOLLOWERS, (author + 1) * FOLLOWERS))
        ]
        await _fill(client, readers, entry)
        pipeline = Pipeline(client)
        fanout = Fanout(
            HomeLists(client, pipeline),
            pipeline,
            FixedGraph(),
            FanoutMetrics(CollectorRegistry()),
        )

        async def deliver() -> int:
            events = []
            for author in range(1, AUTHORS + 1):
                payload = TweetCreated(tweet={"tweet_id": ids.next(), "user_id": author})
                events.append(Event(kind="TweetCreated", payload=payload.SerializeToString()))
            await fanout.handle(events)
            return AUTHORS * (FOLLOWERS + 1)

        async def plain() -> int:
            async with client.pipeline(transaction=False) as batch:
                for reader in readers[:2000]:
                    batch.lpushx(key_of(reader), entry)
                await batch.execute()
            return 2000

        yield deliver, plain


async def _fill(client: redis.Redis, readers: list[int], entry: bytes) -> None:
    for start in range(0, len(readers), 500):
        async with client.pipeline(transaction=False) as batch:
            for reader in readers[start : start + 500]:
                batch.rpush(key_of(reader), *([entry] * domain.LIST_LENGTH))
            await batch.execute()
