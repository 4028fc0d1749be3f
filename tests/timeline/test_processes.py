"""The two composition roots start without their peers and end when told to."""

import asyncio

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from services.chassis.call import Call
from services.chassis.config import Settings
from services.chassis.server import Compose, open_server
from services.timeline import main, worker

CHECK = "/grpc.health.v1.Health/Check"


@pytest.mark.parametrize("compose", [main.compose, worker.compose])
async def test_a_process_starts_gets_healthy_and_ends(
    redis_url: str, dsn: str, compose: Compose
) -> None:
    nowhere = "127.0.0.1:1"
    settings = Settings(
        redis_url=redis_url,
        timeline_dsn=dsn,
        tweet_address=nowhere,
        graph_address=nowhere,
        log_level="error",
    )
    async with asyncio.timeout(10):
        async with open_server("timeline", compose, settings) as server:
            check = server.table[CHECK].unary
            assert check is not None
            status = HealthCheckResponse.UNKNOWN
            while status != HealthCheckResponse.SERVING:
                await asyncio.sleep(0.02)
                raw = await check(HealthCheckRequest().SerializeToString(), Call(CHECK, {}, None))
                status = HealthCheckResponse.FromString(raw).status
            server.drain()
