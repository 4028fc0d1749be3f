"""Further processes beside the mesh's own: a service on the other host, a constant, a baseline."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from services.chassis.config import Settings
from services.local.process import launched
from tests.ports import free_port

START_SECONDS, END_SECONDS = 30.0, 20.0


@contextlib.asynccontextmanager
async def process(
    arguments: Sequence[str], environ: Mapping[str, str], log: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process of ours, ended by its own id when it is left, or when we die."""
    command = launched(tuple(arguments), account=None, death_signal=signal.SIGTERM)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=output, stderr=output
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            await asyncio.to_thread(started.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextlib.asynccontextmanager
async def replica(
    name: str, host: str, settings: Settings, log: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """A replica of a service on a host; its address once it is healthy."""
    mine = replace(
        settings,
        host=host,
        grpc_port=free_port(),
        metrics_port=0,
        admin_socket=None,
        instance=f"bench-{host}-{name.split('.')[-1]}",
        log_level="warning",
    )
    address = f"127.0.0.1:{mine.grpc_port}"
    command = [sys.executable, "-m", "services", name]
    async with process(command, {**mine.to_environ(), **(environ or {})}, log):
        await until(lambda: _is_healthy(address))
        yield address


@contextlib.asynccontextmanager
async def edge(settings: Settings, log: Path, timeline_address: str) -> AsyncIterator[str]:
    """Another edge, with another Timeline service behind it; its address (`host:port`)."""
    mine = replace(
        settings,
        edge_port=free_port(),
        metrics_port=0,
        admin_socket=None,
        instance="bench-edge",
        timeline_address=timeline_address,
        log_level="warning",
    )
    address = f"127.0.0.1:{mine.edge_port}"
    command = [sys.executable, "-m", "services", "edge"]
    async with process(command, mine.to_environ(), log):
        await until(lambda: accepts(mine.edge_port))
        yield address


async def until(
    condition: Callable[[], Awaitable[bool]],
    seconds: float = START_SECONDS,
    *,
    every: float = 0.05,
) -> None:
    """Wait until a condition holds; TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(every)


async def accepts(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_healthy(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        reply = await check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
