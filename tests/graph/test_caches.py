"""The caches: used, never ahead of the truth, and dispensable."""

import asyncio
import itertools
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio.client import Pipeline

from services.chassis.config import Settings
from services.chassis.stores import Redis, open_redis
from services.graph.store.leased_cache import CacheMetrics, LeasedCache
from services.local.redis_server import embedded_redis

from .world import World, opened


class Truth:
    """What is cached, read with a delay that the test controls."""

    def __init__(self) -> None:
        self.value = b"old"
        self.reads = 0
        self.reading = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def load(self, ids: list[int]) -> dict[int, bytes]:
        self.reads += 1
        values = dict.fromkeys(ids, self.value)
        self.reading.set()
        await self.go_on.wait()
        return values


def cache_of(redis: Redis, truth: Truth) -> LeasedCache:
    metrics = CacheMetrics(CollectorRegistry())
    return LeasedCache(redis, "test", load=truth.load, ttl=60.0, metrics=metrics)


async def test_a_second_read_is_from_redis(world: World) -> None:
    truth = Truth()
    cache = cache_of(world.redis, truth)
    assert await cache.get_many([1, 2]) == {1: b"old", 2: b"old"}
    assert await cache.get_many([2, 1]) == {1: b"old", 2: b"old"}
    assert truth.reads == 1
    assert {key async for key in world.redis.scan_iter("test:*")} == {b"test:{1}", b"test:{2}"}
    assert 0 < await world.redis.pttl("test:{1}") <= 60_000


async def test_a_fill_that_began_before_a_change_comes_to_nothing(world: World) -> None:
    truth = Truth()
    cache, elsewhere = cache_of(world.redis, truth), cache_of(world.redis, truth)
    truth.go_on.clear()
    slow = asyncio.create_task(cache.get_many([1, 2]))
    await truth.reading.wait()
    truth.value = b"new"
    await elsewhere.invalidate([1])  # another replica changed 1 while we were reading
    truth.go_on.set()
    assert await slow == {1: b"old", 2: b"old"}
    assert await world.redis.get("test:{1}") is None
    assert await world.redis.get("test:{2}") == b"old"  # its neighbour's fill was not lost
    assert await cache.get_many([1]) == {1: b"new"}
    assert await world.redis.get("test:{1}") == b"new"


async def test_a_new_lease_does_not_admit_the_old_fill(world: World) -> None:
    truth = Truth()
    cache, elsewhere = cache_of(world.redis, truth), cache_of(world.redis, truth)
    truth.go_on.clear()
    slow = asyncio.create_task(cache.get_many([1]))
    await truth.reading.wait()
    truth.value = b"new"
    await elsewhere.invalidate([1])
    truth.reading.clear()
    second = asyncio.create_task(elsewhere.get_many([1]))  # takes a lease of its own
    await truth.reading.wait()
    truth.go_on.set()
    await asyncio.gather(slow, second)
    assert await world.redis.get("test:{1}") == b"new"


async def test_an_invalidation_in_the_middle_of_the_fill_wins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Truth()
    cache, elsewhere = cache_of(world.redis, truth), cache_of(world.redis, truth)
    multi = Pipeline.multi
    changed: list[asyncio.Future[None]] = []

    def change_then_multi(pipeline: Pipeline) -> None:
        if not changed:
            changed.append(asyncio.ensure_future(elsewhere.invalidate([1])))
        multi(pipeline)  # type: ignore[no-untyped-call]

    execute = Pipeline.execute

    async def execute_late(pipeline: Pipeline, raise_on_error: bool = True) -> list[object]:
        if pipeline.explicit_transaction and changed and not changed[0].done():
            await changed[0]
        return await execute(pipeline, raise_on_error)

    monkeypatch.setattr(Pipeline, "multi", change_then_multi)
    monkeypatch.setattr(Pipeline, "execute", execute_late)
    await cache.get_many([1, 2])
    assert changed
    assert await world.redis.get("test:{1}") is None
    assert await world.redis.get("test:{2}") == b"old"


async def test_follower_lists_are_cached_and_follow_ends_them(world: World) -> None:
    a, b, c, d = await world.users("a", "b", "c", "d")
    await world.follow(a, c)
    for _ in range(3):
        assert await world.follower_ids(c, d) == {c: [a], d: []}
    assert world.metric("aviary_graph_cache_lookups_total", cache="followers", outcome="hit") == 4
    assert world.metric("aviary_graph_cache_lookups_total", cache="followers", outcome="miss") == 2
    assert await world.redis.exists(f"followers:{{{c}}}")
    await world.follow(b, c)
    assert not await world.redis.exists(f"followers:{{{c}}}")
    assert await world.follower_ids(c) == {c: [a, b]}
    await world.unfollow(a, c)
    assert await world.follower_ids(c) == {c: [b]}


async def test_counts_in_batches_follow_the_truth(world: World) -> None:
    a, b = await world.users("a", "b")
    assert (await world.batch(b))[0].followers_count == 0
    await world.follow(a, b)
    assert (await world.batch(b))[0].followers_count == 1
    assert (await world.batch(a))[0].following_count == 1


async def test_flushall_in_the_middle_changes_nothing(world: World) -> None:
    users = await world.users(*(f"u{n}" for n in range(10)))
    expected: dict[int, list[int]] = {user: [] for user in users}

    async def flush() -> None:
        for _ in range(30):
            await world.redis.flushall()
            await asyncio.sleep(0.005)

    flushing = asyncio.create_task(flush())
    for a, b in itertools.permutations(users, 2):
        await world.follow(a, b)
        expected[b].append(a)
        assert await world.follower_ids(b) == {b: sorted(expected[b])}
    await flushing
    assert await world.follower_ids(*users) == {u: sorted(expected[u]) for u in users}
    assert [u.followers_count for u in await world.batch(*users)] == [9] * 10


async def test_without_redis_everything_works(settings: Settings) -> None:
    nowhere = replace(settings, redis_url="redis://127.0.0.1:1")
    async with opened(nowhere) as world:
        a, b = await world.users("a", "b")
        await world.follow(a, b)
        assert await world.follower_ids(b) == {b: [a]}
        await world.unfollow(a, b)
        assert await world.follower_ids(b) == {b: []}
        await world.follow(a, b)
        assert [u.followers_count for u in await world.batch(a, b)] == [0, 1]
        assert await world.whole("followers", b) == [a]
        await world.sign_up("ada")
        assert world.metric(
            "aviary_graph_cache_failures_total", cache="followers", operation="invalidate"
        )
        assert world.metric("aviary_graph_cache_stale_keys", cache="followers") == 1


async def test_a_missed_invalidation_is_bypassed_and_made_up_for(
    settings: Settings, tmp_path: Path
) -> None:
    """Redis hangs with a cached list, misses a follow, and comes back with the old list."""
    async with (
        embedded_redis(tmp_path) as own,
        opened(replace(settings, redis_url=own.url)) as world,
    ):
        a, b, c = await world.users("a", "b", "c")
        await world.follow(a, c)
        assert await world.follower_ids(c) == {c: [a]}
        pid = (await world.redis.info("server"))["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.perf_counter()
            await world.follow(b, c)
            assert await world.follower_ids(c) == {c: [a, b]}
            assert [u.followers_count for u in await world.batch(c)] == [2]
            assert time.perf_counter() - started < 8  # a hung Redis costs a few timeouts
            assert world.metric("aviary_graph_cache_stale_keys", cache="followers") == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while world.metric("aviary_graph_cache_stale_keys", cache="followers"):
            assert await world.follower_ids(c) == {c: [a, b]}
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        while not await world.redis.exists(f"followers:{{{c}}}"):  # cached again, and right
            assert await world.follower_ids(c) == {c: [a, b]}
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await world.follower_ids(c) == {c: [a, b]}


async def test_what_was_missed_is_not_remembered_for_ever() -> None:
    """Redis may stay away: after their time to live the old values are gone there as well."""
    registry = CollectorRegistry()
    metrics = CacheMetrics(registry)
    async with open_redis("redis://127.0.0.1:1") as gone:
        # Less than nothing, so that the test need not wait for it.
        cache = LeasedCache(gone, "test", load=Truth().load, ttl=-9.5, metrics=metrics)
        async with cache.retrying():
            await cache.invalidate([1, 2])
            assert stale(registry) == 2
            deadline = time.monotonic() + 10
            while stale(registry):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)


def stale(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("aviary_graph_cache_stale_keys", {"cache": "test"})
