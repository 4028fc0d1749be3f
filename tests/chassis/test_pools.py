"""Listeners are woken after the commit, and a commit that waits holds nobody else up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from services.chassis import stores
from services.chassis.events.log import CHANNEL, NewEvent, append
from services.chassis.events.wake import Wake, listen
from services.local.folders import temporary_home
from tests.embedded import embedded_postgres

ALONE = "SET synchronous_commit = local"


async def write(pool: stores.Pool, number: int, *, alone: bool = False) -> None:
    async with pool.connection() as connection:
        if alone:
            await connection.execute(ALONE)
        async with connection.transaction():
            await append(connection, [NewEvent(number, number, "Test", b"")])


@contextlib.asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[Wake]:
    wake = Wake()
    task = asyncio.create_task(listen(dsn, wake, CHANNEL))
    try:
        async with stores.open_pool(dsn, size=2, name="ready") as pool:
            async with asyncio.timeout(10):
                while not wake.count:  # LISTEN has been done once a notice arrives
                    async with pool.connection() as connection:
                        connection.wake(CHANNEL)
                    await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        wake.count = 0
        yield wake
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[stores.Pool]:
    await stores.migrate(dsn, stores.CHASSIS_MIGRATIONS, chassis=False)
    async with stores.open_pool(dsn, size=8, name="test") as opened:
        yield opened


async def test_listeners_are_woken_when_there_is_something_to_see(
    dsn: str, pool: stores.Pool
) -> None:
    async with listening(dsn) as wake:
        async with pool.connection() as connection, connection.transaction():
            await append(connection, [NewEvent(1, 1, "Test", b"")])
            await asyncio.sleep(0.3)
            assert not wake.count
        assert await wake.wait(0, 10.0)


async def test_many_reasons_wake_few_times(dsn: str, pool: stores.Pool) -> None:
    async with listening(dsn) as wake:
        for _ in range(100):
            async with pool.connection() as connection:
                connection.wake(CHANNEL)
        assert await wake.wait(0, 10.0)
        await asyncio.sleep(0.3)
        assert wake.count < 50


async def test_nothing_appended_wakes_nobody(dsn: str, pool: stores.Pool) -> None:
    async with listening(dsn) as wake:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")
        assert not await wake.wait(0, 0.3)


async def test_a_commit_that_waits_for_its_standby_holds_up_no_other() -> None:
    """Two databases of one server, the standby gone: one waits, the other one goes on."""
    with temporary_home() as home:
        async with embedded_postgres(home) as server, contextlib.AsyncExitStack() as stack:
            pools = []
            for name in ("tweet", "graph"):
                dsn = server.dsn(name)
                await stores.migrate(dsn, stores.CHASSIS_MIGRATIONS, chassis=False)
                opened = stores.open_pool(dsn, size=2, name=name)
                pools.append(await stack.enter_async_context(opened))
            tweet, graph = pools
            async with graph.connection() as connection:
                await connection.execute(
                    "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (gone)'"
                )
                await connection.execute("SELECT pg_reload_conf()")
            await asyncio.sleep(1.0)
            waiting = asyncio.create_task(write(graph, 1))
            await asyncio.sleep(0.5)
            async with asyncio.timeout(5):
                for number in range(20):
                    await write(tweet, number, alone=True)
            assert not waiting.done()
            async with tweet.connection() as connection:
                await connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
                await connection.execute("SELECT pg_reload_conf()")
            await asyncio.wait_for(waiting, 10)
