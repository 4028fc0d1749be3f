"""A real replica of the echo service as a child process, on either host."""

import contextlib
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from tests.ports import free_port
from tests.service_process import service_process

from .echo_contract import PACKAGE, Echo

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Replica:
    """A running replica and a channel to it."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", home: Path) -> None:
        self.port = port
        self.process = process
        self.home = home
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)

    def method(self, name: str) -> Callable[..., Any]:
        """A method of the echo service."""
        kind: Any = {
            "ServerStream": self.channel.unary_stream,
            "ClientStream": self.channel.stream_unary,
            "BidiStream": self.channel.stream_stream,
        }.get(name, self.channel.unary_unary)
        path = f"/{PACKAGE}.EchoService/{name}"
        method: Callable[..., Any] = kind(path, Echo.SerializeToString, Echo.FromString)
        return method

    def raw(self, path: str) -> Callable[..., Any]:
        """A unary method by path, in bytes."""
        channel: Any = self.channel
        unary: Callable[..., Any] = channel.unary_unary(path)
        return unary

    async def health(self, name: str = "") -> str:
        """What the health service says."""
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        reply = await check(
            health_pb2.HealthCheckRequest(service=name), wait_for_ready=True, timeout=20
        )
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))

    def log(self) -> str:
        """What the replica has written."""
        return (self.home / "log").read_text()


@contextlib.asynccontextmanager
async def replica(host: str, **environ: str) -> AsyncIterator[Replica]:
    """A replica of its own, killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="avi") as folder:
        home, port = Path(folder), free_port()
        settings = {
            "AVIARY_HOST": host,
            "AVIARY_GRPC_PORT": str(port),
            "AVIARY_DRAIN_SECONDS": "5",
        }
        with service_process("tests.chassis.echo", home, **settings | environ) as process:
            running = Replica(port, process, home)
            try:
                yield running
            finally:
                await running.channel.close(None)
