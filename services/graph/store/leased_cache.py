"""A Redis cache whose fills cannot overtake invalidations.

Whoever misses takes a lease, reads the truth, and stores it only while the lease is still its own.
An invalidation deletes the value and the lease, so that a fill which began before it comes to
nothing. Values expire after `ttl` seconds, the last bound on whatever goes wrong. Redis may be away
at any moment: then everything is read from the truth, and what could not be invalidated is
remembered, bypassed and invalidated later.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError, WatchError

from services.chassis.background import running
from services.chassis.stores import Redis

LEASE_MS = 10_000
"""Longer than any read of the truth may take (the statement timeout is 5 s)."""
FILL_ATTEMPTS = 3
RETRY_SECONDS = 0.2
AWAY_SECONDS = 1.0
"""How long Redis is left alone after a failure, so that a hung one costs one timeout, not many."""
MAX_PIPELINE = 1_000
FAILURES = (RedisError, OSError)
Load = Callable[[list[int]], Awaitable[dict[int, bytes]]]
log = structlog.get_logger()


class CacheMetrics:
    """Counters that all caches of a replica share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lookups = Counter(
            "aviary_graph_cache_lookups",
            "Keys looked up in Redis by cache and outcome (hit, miss, bypass)",
            ["cache", "outcome"],
            registry=registry,
        )
        self.failures = Counter(
            "aviary_graph_cache_failures",
            "Calls to Redis that failed and were done without",
            ["cache", "operation"],
            registry=registry,
        )
        self.stale = Gauge(
            "aviary_graph_cache_stale_keys",
            "Keys that could not be invalidated yet and are bypassed",
            ["cache"],
            registry=registry,
        )


class LeasedCache:
    """Values by 64-bit id under `name:{id}`, with the lease in the same slot of a cluster."""

    def __init__(
        self, redis: Redis, name: str, *, load: Load, ttl: float, metrics: CacheMetrics
    ) -> None:
        self._redis = redis
        self._name = name
        self._load = load
        self._ttl = ttl
        self._failures = metrics.failures
        self._hits = metrics.lookups.labels(cache=name, outcome="hit")
        self._misses = metrics.lookups.labels(cache=name, outcome="miss")
        self._bypasses = metrics.lookups.labels(cache=name, outcome="bypass")
        self._stale: dict[int, float] = {}
        """Ids that are still to be invalidated, and when that first failed."""
        self._work = asyncio.Event()
        self._away_until = 0.0
        metrics.stale.labels(cache=name).set_function(lambda: len(self._stale))

    async def get_many(self, ids: Collection[int]) -> dict[int, bytes]:
        """The values of the ids that have one, from Redis where possible."""
        usable = [i for i in ids if i not in self._stale] if self._stale else list(ids)
        found, lease = await self._look_up(usable)
        # One that could not be invalidated while Redis was asked.
        for i in self._stale.keys() & found.keys():
            del found[i]
        missing = [i for i in ids if i not in found]
        self._hits.inc(len(found))
        (self._misses if lease else self._bypasses).inc(len(missing))
        if missing:
            loaded = await self._load(missing)
            if lease:
                await self._fill(lease, loaded)
            found.update(loaded)
        return found

    async def invalidate(self, ids: Iterable[int]) -> None:
        """Forget values, after the commit of what changed them; never fails."""
        for some in _batched(ids):
            if self._away:
                self._remember(some)
                continue
            try:
                await self._delete(some)
            except FAILURES as error:
                self._failed("invalidate", error)
                self._remember(some)

    def retrying(self) -> AbstractAsyncContextManager[None]:
        """Invalidate what could not be invalidated, while it is open."""
        return running(self._retry())

    async def _look_up(self, ids: Sequence[int]) -> tuple[dict[int, bytes], str]:
        """Cached values, and the lease taken on the others; nothing while Redis is away."""
        if not ids or self._away:
            return {}, ""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for i in ids:
                    pipeline.get(self._key(i))
                values = await pipeline.execute()
                found = {i: v for i, v in zip(ids, values, strict=True) if v is not None}
                if len(found) == len(ids):
                    return found, ""
                lease = secrets.token_hex(8)
                for i in ids:
                    if i not in found:
                        pipeline.set(self._lease_key(i), lease, nx=True, px=LEASE_MS)
                await pipeline.execute()
        except FAILURES as error:
            self._failed("read", error)
            return {}, ""
        return found, lease

    async def _fill(self, lease: str, values: dict[int, bytes]) -> None:
        # A transaction of a cluster is one of one slot.
        size = 1 if isinstance(self._redis, RedisCluster) else MAX_PIPELINE
        for some in _batched(values, size):
            try:
                await self._fill_some(lease, {i: values[i] for i in some})
            except FAILURES as error:
                self._failed("fill", error)
                return

    async def _fill_some(self, lease: str, values: dict[int, bytes]) -> None:
        """Store those values whose lease is still ours; nobody may end one in between."""
        held = lease.encode()
        async with self._redis.pipeline(transaction=True) as pipeline:
            for _ in range(FILL_ATTEMPTS):
                leases = [self._lease_key(i) for i in values]
                await pipeline.watch(*leases)
                holders = await _holders(pipeline, leases)
                ours = [i for i, holder in zip(values, holders, strict=True) if holder == held]
                pipeline.multi()  # type: ignore[no-untyped-call]
                for i in ours:
                    if i not in self._stale:
                        pipeline.set(self._key(i), values[i], px=int(self._ttl * 1000))
                        pipeline.delete(self._lease_key(i))
                try:
                    await pipeline.execute()
                except WatchError:
                    continue
                return

    async def _delete(self, ids: Sequence[int]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for i in ids:
                pipeline.delete(self._key(i), self._lease_key(i))
            await pipeline.execute()

    def _remember(self, ids: Iterable[int]) -> None:
        now = asyncio.get_running_loop().time()
        self._stale.update(dict.fromkeys(ids, now))
        self._work.set()

    async def _retry(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(RETRY_SECONDS)
            pending = dict(self._stale)
            try:
                for some in _batched(pending):
                    await self._delete(some)
            except FAILURES as error:
                self._failed("retry", error)
                # What Redis held then has expired there by itself.
                oldest = asyncio.get_running_loop().time() - self._ttl - LEASE_MS / 1000
                pending = {i: since for i, since in pending.items() if since < oldest}
            # An id that failed once more meanwhile has another time and stays.
            for i, since in pending.items():
                if self._stale.get(i) == since:
                    del self._stale[i]
            if not self._stale:
                self._work.clear()

    @property
    def _away(self) -> bool:
        return asyncio.get_running_loop().time() < self._away_until

    def _failed(self, operation: str, error: Exception) -> None:
        self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
        self._failures.labels(cache=self._name, operation=operation).inc()
        log.warning("redis failed", cache=self._name, operation=operation, why=str(error))

    def _key(self, i: int) -> str:
        return f"{self._name}:{{{i}}}"

    def _lease_key(self, i: int) -> str:
        return f"{self._name}:{{{i}}}:lease"


async def _holders(pipeline: Pipeline, leases: list[str]) -> Sequence[object]:
    if len(leases) == 1:  # in a cluster's transaction there is no MGET
        return [await pipeline.get(leases[0])]
    return await pipeline.mget(leases)


def _batched(ids: Iterable[int], size: int = MAX_PIPELINE) -> Iterable[list[int]]:
    every = list(ids)
    return (every[i : i + size] for i in range(0, len(every), size))
