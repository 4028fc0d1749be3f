"""The faults. Each injects, asserts that it happened, lets time pass, heals, and tells what was."""

import asyncio
import itertools
import signal
from random import Random

import psycopg
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from services.chassis.redis_client import connected
from services.local.drills.postgres_load import watched
from services.local.drills.target import FaultMissingError, NothingToDrillError, Target, until

SERVICES = ("tweet", "graph", "timeline", "search", "notify")
WORKERS = ("fanout", "trends", "notifier")
WATCHED_SECONDS = 8.0
"""How long the load goes on at a fault that is there."""
FREEZE_SECONDS = 8.0
READY_SECONDS = 1.0
"""What a rollout waits once a replica is ready (`minReadySeconds`), so that peers connect to it."""


async def kill_at_random(target: Target, random: Random, kills: int) -> str:
    """SIGKILL: an edge, a service, a worker, Redis or PostgreSQL, one after the other."""
    kinds = ["edge", *SERVICES, *WORKERS, "redis", "postgres"]
    random.shuffle(kinds)
    victims: list[str] = []
    for kind in itertools.islice(itertools.cycle(kinds), kills):
        # What is killed twice is restarted later each time, so whoever has been spared is next.
        names = target.names(kind)
        fewest = min(victims.count(name) for name in names)
        name = random.choice([name for name in names if victims.count(name) == fewest])
        before = target.process(name).restarts
        target.kill(name)
        await target.restarted(name, before)
        victims.append(name)
        await asyncio.sleep(1.0)
    return f"killed {', '.join(victims)}"


async def hang(target: Target, random: Random) -> str:
    """SIGSTOP of a replica and its Envoy: connections stay open and nothing answers."""
    name = random.choice(target.names("timeline", "tweet", "graph"))
    async with target.frozen(name):
        await asyncio.sleep(FREEZE_SECONDS)
    return f"froze {name} for {FREEZE_SECONDS:.0f} s"


async def lose_zone(target: Target, zone: str, seconds: float) -> str:
    """SIGKILL of everything in a zone, which stays away."""
    names = target.in_zone(zone)
    if not names or len(target.zones()) < 2:
        raise NothingToDrillError("there are no zones; start the mesh with --zones 3")
    with target.held(*names):
        for name in names:
            target.kill(name)
        await asyncio.sleep(seconds)
        left = [name for name in names if target.process(name).health == "healthy"]
        if left:
            raise FaultMissingError(f"{', '.join(left)} came back")
    return f"lost {zone} ({len(names)} processes) for {seconds:.0f} s"


async def promote(target: Target) -> str:
    """SIGKILL of PostgreSQL's primary, which stays away until another one serves."""
    old = await primary_of(target)
    with target.held(old):
        await target.stop(old, signal.SIGKILL)
        await asyncio.sleep(WATCHED_SECONDS)
        new = await primary_of(target)
    if new == old:
        raise FaultMissingError(f"{old} is still the primary")
    return f"killed {old}, promoted {new}"


async def fail_redis_over(target: Target) -> str:
    """SIGKILL of Redis' primary, which stays away until another one serves."""
    old = await redis_of(target)
    with target.held(old):
        target.kill(old)
        await asyncio.sleep(WATCHED_SECONDS)
        new = await redis_of(target)
    if new == old:
        raise FaultMissingError(f"{old} is still the primary")
    return f"killed {old}, promoted {new}"


async def hang_redis(target: Target) -> str:
    """SIGSTOP of Redis' primary; when it wakes up it still takes itself for the primary."""
    old = await redis_of(target)
    async with target.frozen(old):
        await asyncio.sleep(FREEZE_SECONDS)
        new = await redis_of(target)
    if new == old:
        raise FaultMissingError(f"{old} is still the primary")
    await asyncio.sleep(3.0)
    return f"froze {old} for {FREEZE_SECONDS:.0f} s, promoted {new}"


async def flush_redis(target: Target) -> str:
    """FLUSHALL."""
    async with (
        connected(target.settings.redis_url) as client,
        watched(target.settings.tweet_dsn) as busiest,
    ):
        before = await client.dbsize()
        await client.flushall()
        after = await client.dbsize()
        if before == 0 or after >= before:
            raise FaultMissingError(f"{before} keys before, {after} after")
        await asyncio.sleep(WATCHED_SECONDS)
    return f"flushed {before} keys; {busiest}"


async def roll(target: Target) -> str:
    """SIGTERM to every service, worker and edge, one after the other, each until it is back."""
    names = target.names(*SERVICES, *WORKERS, "edge")
    for name in names:
        before = target.process(name)
        target.kill(name, signal.SIGTERM)
        await target.restarted(name, before.restarts)
        if target.pid(name) == before.pid:
            raise FaultMissingError(f"{name} was not restarted")
        await asyncio.sleep(READY_SECONDS)
    return f"restarted {len(names)} processes"


async def primary_of(target: Target) -> str:
    """The server of PostgreSQL that can be written, by its process's name."""
    names = target.names("postgres")
    if len(names) < 2:
        raise NothingToDrillError("PostgreSQL has no standby; start the mesh with --zones 3")
    for name in names:
        if await _serves(target.process(name).probe[1]):
            return name
    raise FaultMissingError("no PostgreSQL can be written")


async def _serves(dsn: str) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=2) as connection:
            row = await (await connection.execute("SELECT pg_is_in_recovery()")).fetchone()
            return row == (False,)
    except psycopg.Error:
        return False


async def redis_of(target: Target) -> str:
    """The Redis that the clients use now, by its process's name; waits for a fail-over."""
    names = [name for name in target.names("redis") if "sentinel" not in name]
    if len(names) < 2:
        raise NothingToDrillError("Redis has no replica; start the mesh with --zones 3")
    ports = {target.process(name).ports["redis"]: name for name in names}
    port = 0

    async def ask() -> int:
        try:
            async with connected(target.settings.redis_url, socket_timeout=0.9) as client:
                if isinstance(client, RedisCluster):  # of a cluster, whoever has the first slot
                    await client.initialize()
                    return int(client.nodes_manager.get_node_from_slot(0).port)
                return int((await client.info("server"))["tcp_port"])
        except (RedisError, OSError):
            return 0

    for _ in range(50):
        if port := await ask():
            return ports[port]
        await asyncio.sleep(0.2)
    raise FaultMissingError("no Redis answers")


async def lose_answered_writes(target: Target) -> str:
    """Lose answered commits on purpose: commits wait for nobody while both standbys are away.

    The negative control of `promote`: it shows that the audit sees what is lost.
    """
    old = await primary_of(target)
    standbys = [name for name in target.names("postgres") if name != old]
    await _commit_alone(target, "local")
    with target.held(old):
        with target.held(*standbys):
            for name in standbys:
                await target.stop(name, signal.SIGKILL)
            await asyncio.sleep(WATCHED_SECONDS)
            await target.stop(old, signal.SIGKILL)
        if not await until(lambda: target.process(standbys[0]).health == "healthy", 60.0):
            raise FaultMissingError("no standby came back")
        await asyncio.sleep(WATCHED_SECONDS)
        new = await primary_of(target)
    await _commit_alone(target, None)
    return f"killed both standbys, {WATCHED_SECONDS:.0f} s later {old}, promoted {new}"


async def _commit_alone(target: Target, setting: str | None) -> None:
    dsn = target.settings.tweet_dsn
    value = f"SET synchronous_commit = {setting}" if setting else "RESET synchronous_commit"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SET synchronous_commit = local")
        await connection.execute(f"ALTER DATABASE tweet {value}".encode())
        # Connections that are open keep what they were opened with.
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'tweet' AND pid <> pg_backend_pid()"
        )
