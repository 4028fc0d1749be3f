"""A link that is cut says nothing, and works again afterwards."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.local.drills.link import Link
from services.local.ports import free_ports
from services.local.redis_server import embedded_redis
from tests.local.conftest import short_folder


async def test_a_cut_link_swallows_and_a_mended_one_passes() -> None:
    (port,) = free_ports(1, "127.0.0.1")
    with short_folder() as home:
        async with (
            embedded_redis(home) as redis,
            Link(redis.socket).listening("127.0.0.1", port) as link,
            Redis(port=port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)) as client,
        ):
            assert await client.set("a", "1")
            link.cut()
            with pytest.raises(RedisError):
                await client.set("a", "2")
            assert link.swallowed > 0
            link.mend()
            async with asyncio.timeout(10):
                while await asked(client) != b"1":  # the first one finds its connection gone
                    await asyncio.sleep(0.05)


async def asked(client: Redis) -> object:
    try:
        return await client.get("a")
    except RedisError:
        return None
