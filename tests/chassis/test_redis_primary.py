"""A Redis that another server has filled is emptied, once; one that filled itself is left alone."""

import redis.asyncio as redis

from services.chassis.redis_primary import MARK, settle


async def test_what_another_server_wrote_goes_at_once(redis_url: str) -> None:
    async with redis.Redis.from_url(redis_url) as client:
        await client.set("home:{1}", "old")
        await client.set(MARK, "the server before")
        assert await settle(client)
        assert not await client.exists("home:{1}")
        await client.set("home:{1}", "new")
        assert not await settle(client)
        assert await client.get("home:{1}") == b"new"


async def test_an_empty_server_is_marked_and_keeps_what_comes(redis_url: str) -> None:
    async with redis.Redis.from_url(redis_url) as client:
        await client.set("home:{1}", "first")
        assert not await settle(client)
        assert await client.get("home:{1}") == b"first"
        assert await client.exists(MARK)
