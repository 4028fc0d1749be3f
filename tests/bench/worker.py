"""The worker's own part: deliveries to full lists in a real Redis, and that Redis' limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

import hiredis
import redis.asyncio as redis
from prometheus_client import CollectorRegistry

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated
from clients.graph import FollowerPage
from services.chassis.redis_pipeline import Pipeline
from services.chassis.snowflake import Snowflakes
from services.chassis.stores import open_redis
from services.timeline import domain
from services.timeline.fanout import Fanout
from services.timeline.metrics import FanoutMetrics
from services.timeline.policy.domain import Policy
from services.timeline.pushing import Pusher
from services.timeline.store import RING, Lists, key_of

from .figures import Figure, Work, repeated

STAGE = "worker"
FIGURES = ("worker", "raw-pipeline", "redis-py")
AUTHORS, FOLLOWERS, LENGTH = 100, 100, 800
RAW_COMMANDS = 8_000
READ_BYTES = 1 << 16


class FixedGraph:
    """Every author has the same number of followers, all with full lists."""

    async def follower_pages(
        self, after: Mapping[int, int], *, limit: int = 0, maximum_followers_count: int = 0
    ) -> dict[int, FollowerPage]:
        """All followers of these authors."""
        return {author: FollowerPage(self._packed(author), FOLLOWERS, 0) for author in after}

    def _packed(self, author: int) -> bytes:
        first = author * FOLLOWERS
        return b"".join(n.to_bytes(8, "big") for n in range(first, first + FOLLOWERS))


class FixedPolicies:
    """The policy of a new database: nobody here is large enough to be pulled."""

    current = Policy()

    async def enter(self, user_ids: Collection[int]) -> None:
        """Nobody enters."""
        raise AssertionError(f"{user_ids} are not that large")


@contextlib.asynccontextmanager
async def worker(redis_url: str) -> AsyncIterator[list[Figure]]:
    """The worker's deliveries, LPUSHX made once and sent as they are, and redis-py's pipeline."""
    entry = domain.pack(1, 1, 0)
    readers = [
        reader
        for author in range(1, AUTHORS + 1)
        for reader in (author, *range(author * FOLLOWERS, (author + 1) * FOLLOWERS))
    ]
    async with open_redis(redis_url) as client:
        await _fill(client, readers, entry)

        async def trimmed() -> None:
            async with client.pipeline(transaction=False) as batch:
                for reader in readers:
                    batch.ltrim(key_of(reader), 0, LENGTH - 1)
                await batch.execute()

        yield [
            Figure("worker", "deliveries to lists of 800, the worker", "deliveries/s",
                   repeated(_deliveries(client)), ("raw-pipeline", "redis-py"), trimmed),
            Figure("raw-pipeline", "LPUSHX, bytes made once, a raw connection", "commands/s",
                   repeated(_raw(client, readers, entry)), (), trimmed),
            Figure("redis-py", "LPUSHX, redis-py's pipeline", "commands/s",
                   repeated(_plain(client, readers, entry)), (), trimmed),
        ]  # fmt: skip


def _deliveries(client: redis.Redis) -> Work:
    ids = Snowflakes(1, after_ms=0)
    pipeline = Pipeline(client)
    policies, metrics = FixedPolicies(), FanoutMetrics(CollectorRegistry())
    lists, rings = Lists(client, pipeline, policies), Lists(client, pipeline, policies, RING)
    fanout = Fanout(Pusher(lists, rings, pipeline, metrics), FixedGraph(), policies, metrics)

    async def work() -> int:
        events = []
        for author in range(1, AUTHORS + 1):
            payload = TweetCreated(tweet={"tweet_id": ids.next(), "user_id": author})
            events.append(Event(kind="TweetCreated", payload=payload.SerializeToString()))
        await fanout.handle(events)
        return AUTHORS * (FOLLOWERS + 1)

    return work


def _raw(client: redis.Redis, readers: list[int], entry: bytes) -> Work:
    """Nothing but sending and parsing, a piece ahead so that Redis never waits."""
    commands = b"".join(
        b"*3\r\n$6\r\nLPUSHX\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
        % (len(key := key_of(reader).encode()), key, len(entry), entry)
        for reader in readers[:RAW_COMMANDS]
    )
    path = client.connection_pool.connection_kwargs["path"]
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def work() -> int:
        if not streams:
            streams.append(await asyncio.open_unix_connection(path))
            streams[0][1].write(commands)
        reading, writing = streams[0]
        writing.write(commands)
        parser, answers = hiredis.Reader(notEnoughData=None), 0
        while answers < RAW_COMMANDS:
            parser.feed(await reading.read(READ_BYTES))
            while parser.gets() is not None:
                answers += 1
        return answers

    return work


def _plain(client: redis.Redis, readers: list[int], entry: bytes) -> Work:
    async def work() -> int:
        async with client.pipeline(transaction=False) as batch:
            for reader in readers[:2000]:
                batch.lpushx(key_of(reader), entry)
            await batch.execute()
        return 2000

    return work


async def _fill(client: redis.Redis, readers: list[int], entry: bytes) -> None:
    for start in range(0, len(readers), 500):
        async with client.pipeline(transaction=False) as batch:
            for reader in readers[start : start + 500]:
                batch.rpush(key_of(reader), *([entry] * LENGTH))
            await batch.execute()
