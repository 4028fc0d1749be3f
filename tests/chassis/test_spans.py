"""Spans: one trace through calls and events where it is collected, and nothing where it is not."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from clients.channel import Peer
from clients.context import Origin, current
from clients.events import Event
from clients.handling import handling
from services.chassis.batching import Batcher
from services.chassis.call import Call
from services.chassis.config import Settings
from services.chassis.errors import InvalidFieldError
from services.chassis.hosts import grpcio
from services.chassis.policy import Policy
from services.chassis.server import Runtime, Service, open_server
from tests.collector import Collector, Span, collecting
from tests.ports import free_port

from .echo_contract import DESCRIPTOR, Echo
from .test_tracing import PATH, RULES

LOOK = """
import asyncio, sys
from services.chassis.config import Settings
from services.chassis.server import open_server
from tests.chassis.echo import compose

PARTS = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "services.chassis.otlp")

async def main() -> None:
    async with open_server("echo", compose, Settings.from_environ()):
        # Not all of `opentelemetry`: redis-py imports the metrics of whatever is installed.
        print(any(name.startswith(PARTS) for name in sys.modules))

asyncio.run(main())
"""


class Hop:
    """Asks the next one where there is one, through a batch; does what the text says."""

    def __init__(self, following: Peer | None) -> None:
        self._following = following
        self._batcher: Batcher[str, str] = Batcher("hop", self._ask, max_batch=9, max_waiting=9)

    async def unary(self, request: Any, _call: Call) -> Any:
        if request.text == "bug":
            raise RuntimeError("bug")
        if request.text == "refuse" and self._following is None:
            raise InvalidFieldError(field="text", problem="says so")
        if self._following is not None:
            return Echo(text=await self._batcher.submit(request.text))
        return request

    async def _ask(self, texts: list[str]) -> list[str]:
        assert self._following is not None
        reply = await self._following.unary(PATH, Echo)(Echo(text=texts[0]))
        return [reply.text] * len(texts)


@contextlib.asynccontextmanager
async def hop(name: str, following: Peer | None, collector: Collector) -> AsyncIterator[Peer]:
    @contextlib.asynccontextmanager
    async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
        yield Service({DESCRIPTOR: Hop(following)}, {}, Policy(RULES))

    address = f"127.0.0.1:{free_port()}"
    settings = Settings(log_level="error", otlp_endpoint=collector.url)
    async with open_server(name, compose, settings) as server:
        listener = await grpcio.listen(server, address)
        async with Peer(name, address) as peer:
            yield peer
        server.drain()
        await listener.stop(1.0)


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with collecting() as collector:
        yield collector


def parent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


def trace_id(number: int) -> str:
    return f"{number:032x}"


async def test_calls_are_one_trace(collector: Collector) -> None:
    async with hop("b", None, collector) as last, hop("a", last, collector) as first:
        ask = first.unary(PATH, Echo)
        await ask(Echo(), metadata=(("traceparent", parent(7)),))
        await ask(Echo(), metadata=(("traceparent", parent(8, "00")),))
        await ask(Echo())
    chain = collector.of(trace_id(7))
    assert [(s.service, s.kind) for s in _in_order(chain)] == [
        ("a", "SERVER"),
        ("a", "CLIENT"),
        ("b", "SERVER"),
    ]
    assert _in_order(chain)[0].parent_id == f"{7:016x}"
    assert {s.name for s in chain} == {PATH[1:]}
    assert not collector.of(trace_id(8))
    others = {span.trace_id for span in collector.spans} - {trace_id(7)}
    assert len(others) == 1  # the trace that begins here; nothing of health checks
    assert len(collector.spans) == 6


async def test_failures_show_on_the_side_that_failed(collector: Collector) -> None:
    async with hop("b", None, collector) as last, hop("a", last, collector) as first:
        ask = first.unary(PATH, Echo)
        for number, text in ((1, "refuse"), (2, "bug")):
            with contextlib.suppress(Exception):
                await ask(Echo(text=text), metadata=(("traceparent", parent(number)),))
    refused = _in_order(collector.of(trace_id(1)))
    assert [(s.service, s.kind, s.failed) for s in refused] == [
        ("a", "SERVER", False),
        ("a", "CLIENT", True),
        ("b", "SERVER", False),
    ]
    assert refused[2].attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    (bug,) = collector.of(trace_id(2))
    assert (bug.failed, bug.attributes["rpc.response.status_code"]) == (True, "INTERNAL")


async def test_a_batch_of_several_calls_names_them_all(collector: Collector) -> None:
    async with hop("b", None, collector) as last, hop("a", last, collector) as first:
        ask = first.unary(PATH, Echo)
        await ask(Echo())  # the connection is there
        await asyncio.gather(
            *(ask(Echo(), metadata=(("traceparent", parent(number)),)) for number in range(1, 5))
        )
    linked = [span for span in collector.spans if span.links]
    assert linked
    assert all(span.kind == "CLIENT" for span in linked)
    assert {link for span in linked for link in span.links} <= {trace_id(n) for n in range(1, 5)}
    for span in linked:
        assert [s.kind for s in _in_order(collector.of(span.trace_id))] == ["CLIENT", "SERVER"]


@pytest.mark.parametrize("flags", ["01", "00"])
async def test_a_batch_of_events(collector: Collector, flags: str) -> None:
    async with hop("a", None, collector):
        _handle([_event(1, flags), _event(2, "00")])
        _handle([_event(3, flags), _event(3, flags)])
    if flags == "00":
        assert not collector.spans
        return
    (batch,) = [span for span in collector.spans if len(set(span.links)) == 2]
    assert set(batch.links) == {trace_id(1), trace_id(2)}
    assert (batch.kind, batch.name, batch.parent_id) == ("CONSUMER", "process test", "")
    assert batch.attributes["messaging.batch.message_count"] == "2"
    (own,) = collector.of(trace_id(1))
    assert (own.parent_id, own.links) == (f"{1:016x}", (batch.trace_id,))
    assert not collector.of(trace_id(2))
    (together,) = collector.of(trace_id(3))
    assert together.parent_id == f"{3:016x}"


async def test_a_collector_that_is_away_costs_no_call(collector: Collector) -> None:
    collector.url = "http://127.0.0.1:9"
    async with hop("a", None, collector) as peer, asyncio.timeout(20):
        reply = await peer.unary(PATH, Echo)(Echo(text="x"), metadata=(("traceparent", parent(1)),))
        assert reply.text == "x"
    assert collector.requests == 0


@pytest.mark.parametrize(
    ("environ", "imported"),
    [
        ({}, False),
        ({"AVIARY_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
    ],
)
def test_it_is_imported_only_where_it_is_used(environ: dict[str, str], imported: bool) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, env=environ
    )
    assert run.stdout.split() == [str(imported)]


def _handle(events: Sequence[Event]) -> None:
    with handling("test", events):
        assert current.get().tracer is not None


def _event(number: int, flags: str) -> Event:
    return Event(event_id=number, traceparent=parent(number, flags))


def _in_order(spans: Sequence[Span]) -> list[Span]:
    """A trace from its first span on, each the parent of the next."""
    known = {span.span_id for span in spans}
    (following,) = [span for span in spans if span.parent_id not in known]
    found = [following]
    while len(found) < len(spans):
        (following,) = [span for span in spans if span.parent_id == found[-1].span_id]
        found.append(following)
    return found


def test_nothing_is_left_behind() -> None:
    assert current.get() == Origin()
