"""Zones: an edge keeps to its own one while that has its share, and leaves it when it has not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from services.chassis.config import Settings
from services.chassis.hosts.grpcio import listen
from services.chassis.server import open_server
from services.local.ports import free_ports

from .conftest import Edge, running_edge
from .upstream import Log, compose_of

CALLS = 60
PATH = "/api/v1/tweets/1"
ZONES = ("a", "b", "c")


class Zones(NamedTuple):
    """An edge and a Tweet service in each zone."""

    edges: dict[str, Edge]
    logs: dict[str, Log]
    listeners: dict[str, grpc.aio.Server]

    async def call(self, zone: str) -> dict[str, int]:
        """How many of the calls to a zone's edge reached which zone's service."""
        edge = self.edges[zone]
        before = {name: len(log.calls) for name, log in self.logs.items()}
        for _ in range(CALLS):
            reply = await edge.http.get(PATH, headers=edge.bearer())
            assert reply.status_code == 200
        return {name: len(log.calls) - before[name] for name, log in self.logs.items()}


@pytest.fixture(scope="module")
async def zones(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Zones]:
    taken = free_ports(2 * len(ZONES), "127.0.0.1")
    edges = [f"127.0.0.1:{port}" for port in taken[: len(ZONES)]]
    tweets = [f"127.0.0.1:{port}" for port in taken[len(ZONES) :]]
    every = replace(
        Settings(),
        drain_seconds=0.5,
        edge_address="ipv4:" + ",".join(edges),
        tweet_address="ipv4:" + ",".join(tweets),
        endpoint_zones=",".join(
            f"{place}={zone}"
            for places in (edges, tweets)
            for place, zone in zip(places, ZONES, strict=True)
        ),
    )
    made = Zones({}, {zone: Log() for zone in ZONES}, {})
    async with contextlib.AsyncExitStack() as stack:
        for zone, address in zip(ZONES, tweets, strict=True):
            compose = compose_of("tweet", made.logs[zone])
            server = await stack.enter_async_context(open_server("tweet", compose, Settings()))
            made.listeners[zone] = await listen(server, address)
            stack.push_async_callback(made.listeners[zone].stop, 0)
        for zone, port in zip(ZONES, taken, strict=False):
            home: Path = tmp_path_factory.mktemp(zone)
            own = replace(every, home=home, zone=zone, instance=f"edge-{zone}", edge_port=port)
            edge = await stack.enter_async_context(running_edge(own, made.logs[zone]))
            made.edges[zone] = edge
        yield made


async def until_own(zones: Zones, zone: str) -> None:
    """The edges must have found each other healthy before they know their shares."""
    async with asyncio.timeout(20):
        while (await zones.call(zone))[zone] < CALLS:
            await asyncio.sleep(0.2)


async def test_an_edge_keeps_to_its_zone_and_leaves_it_when_it_must(zones: Zones) -> None:
    """Promises 8 and 9 of reliability.md: all stay in the zone, and none is lost when it goes."""
    for zone in ZONES:
        await until_own(zones, zone)
    shares = {zone: await zones.call(zone) for zone in ZONES}
    assert all(shares[zone][zone] >= 0.95 * CALLS for zone in ZONES), shares
    await zones.listeners["b"].stop(0)
    spilt = await zones.call("b")  # every call of it answered, or `call` fails
    assert spilt["b"] == 0
    assert spilt["a"] + spilt["c"] == CALLS
    assert (await zones.call("a"))["a"] >= 0.5 * CALLS
