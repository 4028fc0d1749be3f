"""A real Redis Cluster of six: what we send reaches the server of its key, also a promoted one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from services.chassis.config import Settings
from services.chassis.redis_exchange import exchange_over, split
from services.chassis.redis_pipeline import Pipeline
from services.chassis.redis_primary import settle
from services.chassis.stores import Redis, open_redis
from services.graph.store.leased_cache import CacheMetrics, LeasedCache
from services.local.folders import temporary_home
from services.local.mesh import Mesh, running
from services.timeline import store
from services.tweet.store.cache import TweetCache

USERS = range(1, 61)
ENTRY = bytes(17)


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[Mesh]:
    with temporary_home() as home:
        async with running(Settings(home=home, local_redis="cluster"), services=()) as mesh:
            yield mesh


@pytest.fixture
async def client(mesh: Mesh) -> AsyncIterator[Redis]:
    async with open_redis(mesh.redis_url) as client:
        await client.flushall()
        yield client


def test_commands_are_split_at_their_ends() -> None:
    ping, push = (
        b"*1\r\n$4\r\nPING\r\n",
        store.push_head(7) + store.push_tail(b"*3\r\n$1\r\n" * 2 + b"x"),
    )
    assert split(ping + push + ping, 3) == [(ping, b""), (push, b"home:{7}"), (ping, b"")]


async def test_replies_of_all_servers_come_in_the_order_of_the_commands(client: Redis) -> None:
    for user in USERS:
        await client.rpush(f"home:{{{user}}}", *([b"x"] * user))
    commands = b"".join(store.push_head(user) + store.push_tail(ENTRY) for user in USERS)
    replies = await Pipeline(client).execute(commands, len(USERS))
    assert replies == [user + 1 for user in USERS]
    assert len({key_home(client, user) for user in USERS}) == 3


def key_home(client: Any, user: int) -> str:
    node = client.get_node_from_key(f"home:{{{user}}}")
    return str(node.name)


async def test_caches_hit(client: Redis) -> None:
    tweets = TweetCache(client, CollectorRegistry())
    tweets.fill({user << 22: b"tweet" for user in USERS})
    await tweets.filled()
    assert len(await tweets.get_many([user << 22 for user in USERS])) == len(USERS)
    assert await tweets.bar([user << 22 for user in USERS[:30]])
    assert len(await tweets.get_many([user << 22 for user in USERS])) == len(USERS) - 30
    loads: list[list[int]] = []

    async def load(ids: list[int]) -> dict[int, bytes]:
        loads.append(ids)
        return dict.fromkeys(ids, b"user")

    metrics = CacheMetrics(CollectorRegistry())
    users = LeasedCache(client, "user", load=load, ttl=60.0, metrics=metrics)
    assert len(await users.get_many(USERS)) == len(USERS)
    assert len(await users.get_many(USERS)) == len(USERS)
    assert len(loads) == 1
    await users.invalidate([5])
    await users.get_many(USERS)
    assert loads[1:] == [[5]]


async def test_a_promoted_server_is_emptied_and_the_others_are_not(
    mesh: Mesh, client: Redis
) -> None:
    """Fail-over for real: the replica votes itself in, and what it held is not believed."""
    assert isinstance(client, RedisCluster)
    await settle(client)
    victim = client.get_node_from_key("home:{1}")
    assert victim
    for user in USERS:
        await client.rpush(f"home:{{{user}}}", b"x")
    on_it = [user for user in USERS if key_home(client, user) == victim.name]
    name = next(n for n in mesh.supervisor.children if mesh.ports(n).get("redis") == victim.port)
    hold = mesh.folders.hold_file(name)
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    mesh.kill(name)
    exchange = exchange_over(client)
    push = store.push_head(1) + store.push_tail(ENTRY)
    async with asyncio.timeout(30):
        while True:
            try:
                await exchange(push, 1)
                break
            except RedisError:
                await asyncio.sleep(0.1)
    assert key_home(client, 1) != victim.name
    assert await settle(client)
    left = [user for user in USERS if await client.exists(f"home:{{{user}}}")]
    assert left == [user for user in USERS if user not in on_it]
    assert not await settle(client)
    hold.unlink()
    await mesh.until_healthy(name, restarts=1)
