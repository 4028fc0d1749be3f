"""An edge of its own per test: services that are away, drain, death, and what is logged."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from services.local.ports import free_ports

from .calls import native, outcome_of
from .conftest import Edge, running_edge, spawn
from .test_errors import BY_NAME

Start = Callable[..., AbstractAsyncContextManager[Edge]]


@pytest.fixture
def start(edge: Edge, tmp_path: Path) -> Start:
    """Starts another edge in front of the same services."""

    def make(**changed: object) -> AbstractAsyncContextManager[Edge]:
        (port,) = free_ports(1, "127.0.0.1")
        settings = replace(edge.settings, home=tmp_path, edge_port=port, metrics_port=0)
        return running_edge(replace(settings, **changed), edge.log)  # type: ignore[arg-type]

    return make


async def test_a_service_that_is_away(start: Start) -> None:
    (nobody,) = free_ports(1, "127.0.0.1")
    async with start(tweet_address=f"127.0.0.1:{nobody}") as edge:
        async with asyncio.timeout(3):
            over_rest = outcome_of(await edge.http.get("/api/v1/tweets/1", headers=edge.bearer()))
        async with grpc.aio.insecure_channel(edge.address) as channel:
            over_grpc = await native(channel, BY_NAME["GetTweet"], edge.bearer())
        assert (over_rest.http, over_rest.reason) == (503, "UNAVAILABLE")
        assert over_rest.headers["retry-after"] == "1"
        assert over_rest.status == over_grpc.status
        others = await edge.http.get("/api/v1/users/5", headers=edge.bearer())
        assert others.status_code == 200


async def test_drain_finishes_what_is_in_flight(start: Start) -> None:
    async with start() as edge:
        slow = edge.http.get("/api/v1/tweets/1", headers={**edge.bearer(), "test-sleep": "2"})
        in_flight = asyncio.create_task(slow)
        await asyncio.sleep(0.3)
        edge.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert (await edge.http.get("/healthz")).status_code == 503
        assert (await in_flight).status_code == 200
        assert await asyncio.wait_for(edge.process.wait(), 5) == 0
        with pytest.raises(httpx.ConnectError):
            await edge.http.get("/healthz")


async def test_drain_does_not_wait_for_ever(start: Start) -> None:
    async with start(drain_seconds=1.0) as edge:
        slow = edge.http.post(
            "/api/v1/tweet", content=b"{}", headers={**edge.bearer(), "test-sleep": "8"}
        )
        in_flight = asyncio.create_task(slow)
        await asyncio.sleep(0.3)
        edge.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(edge.process.wait(), 6) == 0
        with pytest.raises(httpx.TransportError):
            await in_flight


async def test_envoy_dies_with_its_parent(start: Start) -> None:
    """Else the port would be taken when the supervisor starts the edge again."""
    async with start() as edge:
        (envoy,) = psutil.Process(edge.process.pid).children()
        os.kill(edge.process.pid, signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, [envoy], 3)
        assert not alive


async def test_a_taken_port_ends_the_edge(edge: Edge, tmp_path: Path) -> None:
    """SO_REUSEPORT is off: two edges cannot share a port unseen."""
    process = await spawn(replace(edge.settings, home=tmp_path, metrics_port=0))
    assert await asyncio.wait_for(process.wait(), 10) != 0
    assert "Address already in use" in (tmp_path / "edge.log").read_text()
    assert (await edge.http.get("/healthz")).status_code == 200


async def test_the_access_log(start: Start) -> None:
    async with start() as edge:
        token = edge.bearer(77)
        await edge.http.get("/api/v1/tweets/1?x=secret", headers=token)
        await edge.http.get("/api/v1/tweets/1", headers=token | {"x-request-id": "id-1"})
        await edge.http.get("/healthz")
        home = edge.settings.home
    text = (home / "edge.log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    lines = [line for line in lines if "method" in line]
    assert [line["code"] for line in lines] == [400, 200]
    good = lines[1]
    assert good["request_id"] == "id-1"
    assert (good["method"], good["path"]) == ("GET", "/api/v1/tweets/1")
    assert good["rpc"] == "/aviary.tweet.v1.TweetService/GetTweet"
    assert good["user_id"] == "77"
    assert good["grpc_status"] == 0
    assert good["duration_ms"] >= 0
    assert token["authorization"].removeprefix("Bearer ") not in text
    assert "secret" not in text
