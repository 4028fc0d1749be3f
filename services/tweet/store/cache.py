"""The Tweet Info cache: serialized tweets in Redis for a month. It may vanish at any moment.

Fills never overwrite (`NX`). Before a tweet is deleted, or its counts change, its key is barred: an
empty value, which sends readers to SQL and outlives every fill that may be under way with what it
read before.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from services.chassis.background import running
from services.chassis.redis_exchange import exchange_over
from services.chassis.snowflake import unix_ms_of
from services.chassis.stores import Redis

MONTH_SECONDS = 30 * 86_400
OLD_SECONDS = 600
"""How long a tweet older than a month is kept."""
BARRED_SECONDS = 60
COUNTED_SECONDS = 3
"""For how long after its counts changed: a popular tweet must not be read from SQL for long."""
BARRED = b""
AWAY_SECONDS = 1.0
"""After a failure Redis is left alone for so long, so that calls do not wait for it in turn."""
MAX_OWED = 10_000
MAX_FILLS = 8
_SILENCE = b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n"
_END_OF_SILENCE = b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n"
"""Between these Redis answers nothing, so that a fill costs one reply instead of one a tweet."""
log = structlog.get_logger()


class TweetCache:
    """Serialized tweets by id; what fails is counted, never raised."""

    def __init__(self, redis: Redis, registry: CollectorRegistry) -> None:
        self._redis = redis
        self._away_until = 0.0
        self._owed: set[int] = set()
        self._fills: set[asyncio.Task[None]] = set()
        lookups = Counter(
            "aviary_tweet_cache_lookups", "Tweets looked up", ["outcome"], registry=registry
        )
        self._hits, self._misses = lookups.labels("hit"), lookups.labels("miss")
        self._failures = Counter(
            "aviary_tweet_cache_failures", "Commands that Redis did not do", registry=registry
        )

    async def get_many(self, tweet_ids: Sequence[int]) -> dict[int, bytes]:
        """The tweets that are cached; BARRED ones, to be read from SQL, are not among them."""
        if not tweet_ids or time.monotonic() < self._away_until:
            return {}
        try:
            values = await self._look_up([_key(tweet_id) for tweet_id in tweet_ids])
        except (RedisError, OSError) as error:
            self._failed(error)
            return {}
        # The client decodes nothing; str is there for those that do.
        found = {
            tweet_id: value
            for tweet_id, value in zip(tweet_ids, values, strict=True)
            if value and isinstance(value, bytes)
        }
        self._hits.inc(len(found))
        self._misses.inc(len(tweet_ids) - len(found))
        return found

    def fill(self, tweets: Mapping[int, bytes]) -> None:
        """Cache tweets that are not cached or barred, soon and in the background.

        A fill too many is dropped: a read will fill again.
        """
        if tweets and len(self._fills) < MAX_FILLS and time.monotonic() >= self._away_until:
            task = asyncio.create_task(self._put_many(tweets))
            self._fills.add(task)
            task.add_done_callback(self._fills.discard)

    async def filled(self) -> None:
        """Wait for the fills under way."""
        while self._fills:
            await asyncio.wait(self._fills)

    async def bar(self, tweet_ids: Collection[int], seconds: int = BARRED_SECONDS) -> bool:
        """Take tweets out and keep them out for a while; whether Redis did it.

        What Redis did not do now is done by `settle` as soon as it can be.
        """
        if time.monotonic() >= self._away_until and await self._bar(tweet_ids, seconds):
            return True
        if len(self._owed) < MAX_OWED:
            self._owed.update(tweet_ids)
        return False

    async def recount(self, tweet_ids: Iterable[int]) -> None:
        """Keep tweets out whose counts are about to change (0 is none)."""
        if counted := set(tweet_ids) - {0}:
            await self.bar(counted, COUNTED_SECONDS)

    async def settle(self) -> None:
        """Bar what could not be barred, for ever: a Redis that was away may still hold it."""
        while True:
            await asyncio.sleep(AWAY_SECONDS)
            owed = list(self._owed)
            if owed:
                await self._bar(owed, BARRED_SECONDS)

    async def _bar(self, tweet_ids: Collection[int], seconds: int) -> bool:
        try:
            async with self._redis.pipeline(transaction=False) as commands:
                for tweet_id in tweet_ids:
                    commands.set(_key(tweet_id), BARRED, ex=seconds)
                await commands.execute()
        except (RedisError, OSError) as error:
            self._failed(error)
            return False
        self._owed.difference_update(tweet_ids)
        return True

    async def _put_many(self, tweets: Mapping[int, bytes]) -> None:
        now_ms = time.time_ns() // 1_000_000
        commands = [_set(tweet_id, tweet, now_ms) for tweet_id, tweet in tweets.items()]
        if isinstance(self._redis, RedisCluster):
            await self._put_in_cluster(commands)
            return
        pool = self._redis.connection_pool
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_packed_command(
                    b"".join((_SILENCE, *commands, _END_OF_SILENCE)), check_health=False
                )
                await connection.read_response()
            except BaseException:
                # What has been said on it is not known any more: nobody else may use it.
                await connection.disconnect(nowait=True)
                raise
            finally:
                await pool.release(connection)
        except (RedisError, OSError) as error:
            self._failed(error)

    async def _look_up(self, keys: list[str]) -> Sequence[object]:
        if isinstance(self._redis, RedisCluster):
            found: Sequence[object] = await self._redis.mget_nonatomic(keys)
            return found
        return await self._redis.mget(keys)

    async def _put_in_cluster(self, commands: list[bytes]) -> None:
        try:
            await exchange_over(self._redis)(b"".join(commands), len(commands))
        except (RedisError, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._failures.inc()
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.warning("tweet cache is away", why=str(error))


@contextlib.asynccontextmanager
async def open_cache(redis: Redis, registry: CollectorRegistry) -> AsyncIterator[TweetCache]:
    """The cache, with what runs beside it."""
    cache = TweetCache(redis, registry)
    async with running(cache.settle()):
        try:
            yield cache
        finally:
            await cache.filled()


def _set(tweet_id: int, tweet: bytes, now_ms: int) -> bytes:
    """`SET tweet:ID bytes EX seconds NX`, packed; redis-py takes five times as long for it."""
    key = b"tweet:%d" % tweet_id
    left = MONTH_SECONDS - (now_ms - unix_ms_of(tweet_id)) // 1000
    seconds = b"%d" % max(OLD_SECONDS, left)
    return b"*6\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$2\r\nEX\r\n$%d\r\n%b\r\n$2\r\nNX\r\n" % (
        len(key), key, len(tweet), tweet, len(seconds), seconds,
    )  # fmt: skip


def _key(tweet_id: int) -> str:
    return f"tweet:{tweet_id}"
