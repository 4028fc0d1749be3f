"""Health checks as data, so that `status` can repeat what the supervisor checked."""

import asyncio
import http.client
from dataclasses import dataclass
from enum import StrEnum


class ProbeKind(StrEnum):
    """What is spoken to a process to learn whether it works."""

    POSTGRES = "postgres"
    REDIS = "redis"
    GRPC = "grpc"
    HTTP = "http"


class ProbeFailedError(Exception):
    """The process did not answer, or said that it is not ready."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A check: the target is a DSN, a Redis URL, `host:port`, or `host:port/path` for HTTP."""

    kind: ProbeKind
    target: str

    async def check(self, seconds: float = 2.0) -> None:
        """Raise ProbeFailedError unless the process is healthy within the time."""
        checks = {
            ProbeKind.POSTGRES: _check_postgres,
            ProbeKind.REDIS: _check_redis,
            ProbeKind.GRPC: _check_grpc,
            ProbeKind.HTTP: _check_http,
        }
        try:
            await asyncio.wait_for(checks[self.kind](self.target), seconds)
        except TimeoutError:
            raise ProbeFailedError(f"no answer within {seconds:g} s") from None


async def _check_postgres(dsn: str) -> None:
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise ProbeFailedError(_first_line(error)) from error


async def _check_redis(url: str) -> None:
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

    from services.chassis.redis_client import connected

    try:
        async with connected(url, retry=Retry(NoBackoff(), 0)) as client:
            await client.ping()
    except (RedisError, OSError) as error:
        raise ProbeFailedError(_first_line(error)) from error


async def _check_grpc(address: str) -> None:
    import grpc.aio
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    # A pool of its own: the shared one waits longer and longer before it connects again.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest())
        except grpc.aio.AioRpcError as error:
            raise ProbeFailedError(error.details() or error.code().name) from error
    if reply.status != health_pb2.HealthCheckResponse.SERVING:
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
        raise ProbeFailedError(f"health is {name}")


async def _check_http(target: str) -> None:
    status = await asyncio.to_thread(_http_status, target)
    if status != http.HTTPStatus.OK:
        raise ProbeFailedError(f"GET {target} answers {status}")


def _http_status(target: str) -> int:
    address, _, path = target.partition("/")
    connection = http.client.HTTPConnection(address, timeout=2.0)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise ProbeFailedError(_first_line(error)) from error
    finally:
        connection.close()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
