"""From stream ingest to the lists: how many, and how late."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence

import redis.asyncio as redis

from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from clients.tweet import TweetClient
from services.chassis.snowflake import unix_ms_of
from services.timeline import domain
from services.timeline.store import key_of

from .bench import Bench, some
from .figures import Figure, Latency, Measure
from .world import FANOUT, TEXT

STAGE, LAG = "delivery", "delivery-lag"
BATCH, STREAMS, WINDOW = 1_000, 2, 3
"""Tweets a batch, streams, and batches that a stream sends ahead of the answers."""
FALLBACK_RATE = 30_000.0
"""Deliveries a second under which the lag is measured where their limit was not."""
BATCHES_A_SECOND = 20
PROBED = 400
"""Lists that are watched for the lag."""
NEWEST = 5
MARGIN_SECONDS = 1.0


async def delivery(bench: Bench) -> None:
    """Everybody in the circle has ten followers who all read; their lists take what is ingested."""
    title = f"end to end from stream ingest, {FANOUT} deliveries a tweet"
    await bench.take_turns(
        STAGE,
        [
            Figure("ingest", "stream ingest", "tweets/s", _ingest(bench), settle=bench.drained),
            Figure("end-to-end", title, "deliveries/s", _end_to_end(bench)),
        ],
    )


def _ingest(bench: Bench) -> Measure:
    async def measure(seconds: float) -> float:
        tweets, taken = await _ingested(bench, seconds)
        return tweets / taken

    return measure


def _end_to_end(bench: Bench) -> Measure:
    async def measure(seconds: float) -> float:
        started = time.perf_counter()
        tweets, _ = await _ingested(bench, seconds)
        await bench.drained()
        return tweets * FANOUT / (time.perf_counter() - started)

    return measure


async def _ingested(bench: Bench, seconds: float) -> tuple[int, float]:
    """How many tweets were ingested, as fast as it goes, and how long that took."""
    started = time.perf_counter()
    authors = itertools.cycle(bench.world.fan)

    async def batches(window: asyncio.Semaphore) -> AsyncIterator[tweet_pb.IngestTweetsRequest]:
        while time.perf_counter() - started < seconds:
            await window.acquire()
            yield _batch(list(itertools.islice(authors, BATCH)))

    async def stream() -> int:
        # Without a window gRPC would take seconds' worth of batches into its buffers.
        window, count = asyncio.Semaphore(WINDOW), 0
        async with TweetClient(bench.world.mesh.address("tweet")) as tweets:
            async for ids in tweets.ingest(batches(window)):
                count += len(ids)
                window.release()
        return count

    done = sum(await asyncio.gather(*(stream() for _ in range(STREAMS))))
    return done, time.perf_counter() - started


def _batch(authors: Sequence[int]) -> tweet_pb.IngestTweetsRequest:
    tweets = [tweet_pb.IngestTweet(user_id=author, status=TEXT) for author in authors]
    return tweet_pb.IngestTweetsRequest(tweets=tweets)


async def delivery_lag(bench: Bench) -> None:
    """Milliseconds from a tweet's creation until it is in a list, at half of the end-to-end rate.

    Redis itself tells, by a keyspace notification, when a watched list was pushed to.
    """
    known = bench.results.figure("end-to-end")
    rate = (known.median if known else FALLBACK_RATE) / 2
    found = Latency(LAG, "delivery lag at half of the end-to-end rate", rate)
    for _ in range(bench.plan.rounds):
        async with _watching(bench.world.mesh.redis_url, some(bench.world.fan, PROBED)) as lags:
            await _paced(bench, rate / FANOUT, 2 * bench.plan.seconds)
            await bench.drained()
            await asyncio.sleep(MARGIN_SECONDS)
        found.add(lags)
    bench.results.latencies.append(found)


async def _paced(bench: Bench, tweets_a_second: float, seconds: float) -> None:
    """Ingest at a steady rate, a batch every 50 ms."""
    authors = itertools.cycle(some(bench.world.fan, len(bench.world.fan)))
    size = max(1, min(BATCH, round(tweets_a_second / BATCHES_A_SECOND)))

    async def batches() -> AsyncIterator[tweet_pb.IngestTweetsRequest]:
        started = time.perf_counter()
        for number in range(round(seconds * BATCHES_A_SECOND)):
            await asyncio.sleep(started + number / BATCHES_A_SECOND - time.perf_counter())
            yield _batch(list(itertools.islice(authors, size)))

    async with TweetClient(bench.world.mesh.address("tweet")) as tweets:
        async for _ in tweets.ingest(batches()):
            pass


@contextlib.asynccontextmanager
async def _watching(redis_url: str, readers: Sequence[int]) -> AsyncIterator[list[float]]:
    """The lags, in milliseconds, of what lands in these users' lists meanwhile."""
    async with redis.Redis.from_url(redis_url) as client:
        seen = {key_of(one): {*await client.lrange(key_of(one), 0, -1)} for one in readers}
        lags: list[float] = []
        done = asyncio.Event()

        async def watch() -> None:
            # Not cancelled: redis-py takes a cancellation for a broken connection and goes on.
            while not done.is_set():
                message = await events.get_message(ignore_subscribe_messages=True, timeout=0.1)
                if message is None or message["data"] != b"lpush":
                    continue
                landed = time.time() * 1000
                key = message["channel"].decode().partition(":")[2]
                for entry in await client.lrange(key, 0, NEWEST):
                    assert isinstance(entry, bytes)
                    if entry not in seen[key]:
                        seen[key].add(entry)
                        lags.append(landed - unix_ms_of(domain.tweet_id_of(entry)))

        await client.config_set("notify-keyspace-events", "Kl")
        async with client.pubsub() as events:
            await events.subscribe(*(f"__keyspace@0__:{key}" for key in seen))
            task = asyncio.create_task(watch())
            try:
                yield lags
            finally:
                done.set()
                await task
                await client.config_set("notify-keyspace-events", "")
