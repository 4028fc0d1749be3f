"""Ready bytes to a real Redis and back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.chassis.redis_pipeline import Pipeline
from services.chassis.stores import Redis, open_redis
from services.timeline import store

PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


async def test_replies_come_in_order_by_the_ten_thousand(client: Redis) -> None:
    pipeline = Pipeline(client)
    count = 20_000
    assert await client.rpush("home:{1}", b"x") == 1
    packed = b"".join(store.push_head(1) + store.push_tail(b"%017d" % n) for n in range(count))
    assert await pipeline.execute(packed, count) == list(range(2, count + 2))
    assert await client.lrange("home:{1}", 0, 0) == [b"%017d" % (count - 1)]


async def test_a_refused_command_is_raised_and_the_rest_was_done(client: Redis) -> None:
    pipeline = Pipeline(client)
    await client.set("home:{2}", "no list")
    await client.rpush("home:{3}", b"x")
    packed = b"".join(store.push_head(user) + store.push_tail(bytes(17)) for user in (2, 3))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await pipeline.execute(packed, 2)
    assert await client.llen("home:{3}") == 2
    await pipeline.ping()


async def test_an_answer_that_does_not_come_costs_the_connection(client: Redis) -> None:
    """What comes late must not be read as the answer to the next command."""
    pipeline = Pipeline(client, seconds=0.2)
    await asyncio.gather(pipeline.ping(), client.ping())  # both have a connection
    stuck = asyncio.create_task(client.execute_command("DEBUG", "SLEEP", "0.6"))  # type: ignore[no-untyped-call]
    await asyncio.sleep(0.1)
    with pytest.raises(RedisTimeoutError):
        await pipeline.execute(PING, 1)
    await stuck
    assert await pipeline.execute(b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", 1) == [b"hi"]


async def test_a_cancelled_caller_costs_the_connection(client: Redis) -> None:
    pipeline = Pipeline(client)
    waiting = asyncio.create_task(
        pipeline.execute(b"*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$1\r\n5\r\n", 1)
    )
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await pipeline.execute(b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", 1) == [b"hi"]


async def test_no_redis_is_a_connection_error() -> None:
    async with open_redis("redis://127.0.0.1:1") as client:
        with pytest.raises(RedisConnectionError):
            await Pipeline(client).ping()


async def test_a_killed_connection_is_a_connection_error(client: Redis) -> None:
    pipeline = Pipeline(client)
    waiting = asyncio.create_task(
        pipeline.execute(b"*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$1\r\n5\r\n", 1)
    )
    await asyncio.sleep(0.1)
    await client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(RedisConnectionError):
        await waiting
