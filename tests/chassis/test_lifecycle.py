"""Starting, draining and dying, on both hosts."""

import asyncio
import os
import signal
import time
from pathlib import Path

import grpc
import psutil
import pytest

from .echo_contract import Echo
from .replica import replica


async def test_not_serving_until_the_checks_pass(host: str, tmp_path: Path) -> None:
    marker = tmp_path / "ready"
    async with replica(host, ECHO_READY_MARKER=str(marker)) as running:
        assert await running.health() == "NOT_SERVING"
        marker.touch()
        until = time.monotonic() + 5
        while await running.health() != "SERVING":
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        assert await running.health("self") == "SERVING"


async def test_drain_lets_calls_in_flight_finish(host: str, tmp_path: Path) -> None:
    marker = tmp_path / "closed"
    async with replica(host, ECHO_CLOSED_MARKER=str(marker)) as running:
        assert await running.health() == "SERVING"
        slow = asyncio.ensure_future(running.method("Unary")(Echo(text="sleep", count=1500)))
        replies = aiter(running.method("ServerStream")(Echo(text="slow", count=30)))
        assert (await anext(replies)).count == 0
        await asyncio.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert await running.health() == "NOT_SERVING"
        assert (await slow).count == 1500
        assert len([reply async for reply in replies]) == 29
        assert await asyncio.to_thread(running.process.wait, 10) == 0, running.log()
    assert marker.exists(), "the service's own resources were not closed"


async def test_drain_ends_calls_that_take_too_long(host: str) -> None:
    async with replica(host, AVIARY_DRAIN_SECONDS="0.5") as running:
        assert await running.health() == "SERVING"
        call = running.method("Unary")(Echo(text="sleep", count=60_000))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        await asyncio.to_thread(running.process.wait, 10)
        assert time.monotonic() - started < 10


async def test_beyond_the_limit_calls_are_refused_at_once(host: str) -> None:
    async with replica(host, AVIARY_MAX_IN_FLIGHT="3") as running:
        assert await running.health() == "SERVING"
        unary = running.method("Unary")
        slow = [asyncio.ensure_future(unary(Echo(text="sleep", count=1500))) for _ in range(3)]
        await asyncio.sleep(0.3)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(Echo())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await asyncio.gather(*slow)
        assert await unary(Echo(count=1)) == Echo(count=1)


async def test_unknown_setting_is_refused(host: str) -> None:
    async with replica(host, AVIARY_GRCP_PORT="1") as running:
        assert await asyncio.to_thread(running.process.wait, 10) == 2
        assert "AVIARY_GRCP_PORT" in running.log()


async def test_envoy_ends_with_its_parent() -> None:
    async with replica("envoy") as running:
        assert await running.health() == "SERVING"
        (envoy,) = psutil.Process(running.process.pid).children()
        os.kill(running.process.pid, signal.SIGKILL)
        await asyncio.to_thread(running.process.wait)
        await asyncio.to_thread(envoy.wait, 5)
        assert not envoy.is_running()


async def test_parent_ends_with_its_envoy() -> None:
    async with replica("envoy") as running:
        assert await running.health() == "SERVING"
        (envoy,) = psutil.Process(running.process.pid).children()
        envoy.kill()
        assert await asyncio.to_thread(running.process.wait, 5) != 0


async def test_taken_port_is_an_error(host: str) -> None:
    async with replica(host) as first:
        assert await first.health() == "SERVING"
        async with replica(host, AVIARY_GRPC_PORT=str(first.port)) as second:
            assert await asyncio.to_thread(second.process.wait, 15) != 0
