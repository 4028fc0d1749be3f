"""Further replicas beside the mesh's own: the same service on the other host, and the echo."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from services.chassis.config import Settings
from tests.ports import free_port


@contextlib.asynccontextmanager
async def replica(name: str, host: str, settings: Settings, log: Path) -> AsyncIterator[str]:
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
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", name],
            env={**os.environ, **mine.to_environ()},
            stdout=output,
            stderr=output,
        )
    try:
        await _until_healthy(address)
        yield address
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def _until_healthy(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        async with asyncio.timeout(30):
            while True:
                reply = await check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
                if reply.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                await asyncio.sleep(0.05)
