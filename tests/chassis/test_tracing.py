"""One request's id and trace in every service that it reaches, and in their lines."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from clients.channel import Peer
from services.chassis.call import Call
from services.chassis.config import Settings
from services.chassis.hosts import grpcio
from services.chassis.policy import Access, Policy, Rule
from services.chassis.server import Runtime, Service, open_server
from tests.ports import free_port

from .echo_contract import DESCRIPTOR, Echo

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
RULES = {f"/{DESCRIPTOR.full_name}/{m.name}": Rule(Access.INTERNAL, "") for m in DESCRIPTOR.methods}
PATH = f"/{DESCRIPTOR.full_name}/Unary"


class Hop:
    """Writes a line, and asks the next one where there is one."""

    def __init__(self, following: Peer | None) -> None:
        self._following = following

    async def unary(self, request: Any, call: Call) -> Any:
        structlog.get_logger().warning("reached", hop=self._following is None)
        if self._following is None:
            return Echo(text=call.headers.get(b"traceparent", b"").decode())
        await asyncio.sleep(0)
        return await self._following.unary(PATH, Echo)(request)


@contextlib.asynccontextmanager
async def hop(following: Peer | None, level: str = "warning") -> AsyncIterator[Peer]:
    @contextlib.asynccontextmanager
    async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
        yield Service({DESCRIPTOR: Hop(following)}, {}, Policy(RULES))

    address = f"127.0.0.1:{free_port()}"
    async with open_server("hop", compose, Settings(log_level=level)) as server:
        listener = await grpcio.listen(server, address)
        async with Peer("hop", address) as peer:
            yield peer
        server.drain()
        await listener.stop(1.0)


async def test_a_trace_goes_through_and_into_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    async with hop(None) as last, hop(last) as first:
        metadata = (("traceparent", PARENT), ("x-request-id", "r-1"))
        reply = await first.unary(PATH, Echo)(Echo(), metadata=metadata)
        assert reply.text == PARENT
        await first.unary(PATH, Echo)(Echo())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    reached = [line for line in lines if line["event"] == "reached"]
    assert [(line.get("trace_id"), line.get("request_id")) for line in reached] == [
        (TRACE, "r-1"),
        (TRACE, "r-1"),
        (None, None),
        (None, None),
    ]


async def test_each_hop_says_what_somebody_asked_to_see(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hop(None, "info") as last, hop(last, "info") as first:
        monkeypatch.setattr("services.chassis.guard.log", structlog.get_logger())
        await first.unary(PATH, Echo)(Echo(), metadata=(("traceparent", PARENT),))
        await first.unary(PATH, Echo)(Echo(), metadata=(("traceparent", PARENT[:-1] + "0"),))
        await first.unary(PATH, Echo)(Echo())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    served = [line for line in lines if line["event"] == "served"]
    assert [(line["method"], line["trace_id"], line["code"]) for line in served] == [
        (PATH, TRACE, "OK"),
        (PATH, TRACE, "OK"),
    ]
