"""How costs grow: with how many one follows, and with the length of a list."""

import random
import time
from statistics import median

import redis.asyncio as redis

from services.timeline import domain
from services.timeline.store import key_of

from .bench import Bench, some
from .figures import Curve, Figure
from .load import Load, as_user, grpc_rate
from .reads import PAGE_OF_20
from .world import HOME, calling

READS, BUILDS, MEMORY = "reads-by-followees", "builds", "redis-bytes"
ROUNDS, BUILDS_A_ROUND = 3, 5
LENGTHS = (10, 20, 50, 100, 200, 400, 800, 1_600)
FULL_LIST = 750
"""Lists from this length on count as full ones."""
LISTS_A_LENGTH = 20


async def reads_by_followees(bench: Bench) -> None:
    """Home reads a second over gRPC, by how many the readers follow."""
    curve = Curve(READS, "home of 20, gRPC, Envoy host", "followees", "reads/s")
    address = bench.world.mesh.address("timeline")
    for number in range(-bench.plan.warm_ups, min(ROUNDS, bench.plan.rounds)):
        for followees, readers in sorted(bench.world.readers.items()):
            callers = [as_user(one) for one in some(readers)]
            load = Load(address, [HOME], PAGE_OF_20, 500, callers)
            rate = await grpc_rate(load, bench.plan.seconds)
            if number >= 0:
                curve.add(followees, rate)
    bench.results.curves.append(curve)


async def builds(bench: Bench) -> None:
    """Milliseconds of a first page when there is no list, by how many the reader follows."""
    curve = Curve("build-by-followees", "first page, no list yet", "followees", "ms")
    world = bench.world
    async with (
        redis.Redis.from_url(world.mesh.redis_url) as client,
        calling(world.mesh.address("timeline"), HOME) as call,
    ):
        for number in range(-bench.plan.warm_ups, bench.plan.rounds):
            for followees, readers in sorted(world.readers.items()):
                taken = []
                for reader in some(readers, BUILDS_A_ROUND):
                    await client.unlink(key_of(reader))
                    started = time.perf_counter()
                    await call(reader, PAGE_OF_20)
                    taken.append((time.perf_counter() - started) * 1000)
                if number >= 0:
                    curve.add(followees, median(taken))
    bench.results.curves.append(curve)


async def memory(bench: Bench) -> None:
    """Redis' bytes for each entry: of the full lists that are there, and by length."""
    world = bench.world
    async with redis.Redis.from_url(world.mesh.redis_url) as client:
        readers = [one for group in world.readers.values() for one in group]
        lengths, sizes = await _measured(client, [key_of(one) for one in readers])
        full = [
            (length, size)
            for length, size in zip(lengths, sizes, strict=True)
            if length >= FULL_LIST
        ]
        if full:
            entries, total = map(sum, zip(*full, strict=True))
            bench.results.figures.append(
                Figure(MEMORY, f"Redis, {len(full):,} full lists", "bytes/entry", _unmeasured,
                       rounds=[total / entries])
            )  # fmt: skip
        bench.results.curves.append(await _by_length(client))


async def _by_length(client: "redis.Redis") -> Curve:
    """Lists of random entries, made for this and taken away again."""
    curve = Curve("redis-bytes-by-length", "Redis, with key and list", "entries", "bytes/entry")
    dice = random.Random(1)
    for length in LENGTHS:
        keys = [key_of(number) for number in range(1, LISTS_A_LENGTH + 1)]
        for key in keys:
            ids = sorted((dice.getrandbits(62) for _ in range(length)), reverse=True)
            await client.rpush(key, *(domain.pack(n, dice.getrandbits(62), 0) for n in ids))
        _, sizes = await _measured(client, keys)
        curve.add(length, sum(sizes) / len(keys) / length)
        await client.unlink(*keys)
    return curve


async def _measured(client: "redis.Redis", keys: list[str]) -> tuple[list[int], list[int]]:
    async with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.llen(key)
            pipeline.memory_usage(key, samples=0)
        replies = await pipeline.execute()
    return replies[::2], [size or 0 for size in replies[1::2]]


async def _unmeasured(_seconds: float) -> float:
    raise AssertionError("was measured once")
