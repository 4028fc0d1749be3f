"""The supervisor with real stores and stand-ins for the services."""

import asyncio
import json
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.catalog import COMPOSITIONS
from services.chassis.config import Settings
from services.local import child, control, keys, ports
from services.local.errors import (
    AlreadyRunningError,
    PortTakenError,
    StartFailedError,
    StoreUnreachableError,
)
from services.local.mesh import Mesh, running
from services.local.processes import NEEDS, SERVICES
from services.local.redis_server import embedded_redis
from tests.local.conftest import gone, standin

Fault = Callable[[str, str], None]


def fetch(url: str) -> int:
    with urllib.request.urlopen(url) as answer:
        status: int = answer.status
        return status


async def test_all_start_in_the_order_of_their_needs(settings: Settings) -> None:
    async with running(settings, command=standin) as mesh:
        started = {row.name: row.started for row in mesh.state().processes}
        for name, needs in NEEDS.items():
            assert all(started[need] < started[name] for need in needs)
        assert await asyncio.to_thread(fetch, f"{mesh.edge_url}/healthz") == 200
        assert mesh.settings.tweet_address == mesh.address("tweet")
        assert mesh.settings.public_url == mesh.edge_url


async def test_the_environment_carries_the_settings(settings: Settings) -> None:
    async with running(settings, services=("graph",), command=standin) as mesh:
        environ = psutil.Process(mesh.pid("graph")).environ()
        seen = Settings.from_environ(environ)
        assert seen.graph_dsn == mesh.dsn("graph")
        assert seen.redis_url == mesh.redis_url
        assert seen.instance == "graph"
        assert seen.admin_socket == mesh.folders.sockets / "graph.admin.sock"
        assert {"grpc": seen.grpc_port, "metrics": seen.metrics_port} == mesh.ports("graph")


async def test_a_crashed_service_comes_back_on_its_port(settings: Settings) -> None:
    async with running(settings, services=("graph",), command=standin) as mesh:
        before, address = mesh.pid("graph"), mesh.address("graph")
        mesh.kill("graph")
        await mesh.until_healthy("graph", restarts=1)
        assert mesh.pid("graph") != before
        assert mesh.address("graph") == address
        recorded = control.find(settings.home)
        assert recorded
        assert {row.name: row.restarts for row in recorded.processes}["graph"] == 1


async def test_back_off_grows_and_ends(settings: Settings, home: Path, fault: Fault) -> None:
    async with running(settings, services=("graph",), command=standin) as mesh:
        fault("graph", "crash")
        mesh.kill("graph")
        began = asyncio.get_running_loop().time()
        crashing = mesh.supervisor.children["graph"]
        async with asyncio.timeout(30):
            while mesh.restarts("graph") < 2 or crashing.health is not child.Health.CRASHED:
                await asyncio.sleep(0.01)
        # The third restart is 0.8 s away, or the second one is about to be made.
        (home / "fault-graph").unlink()
        await mesh.until_healthy("graph", restarts=2)
        pauses = {2: 0.2 + 0.4, 3: 0.2 + 0.4 + 0.8}
        assert asyncio.get_running_loop().time() - began > pauses[mesh.restarts("graph")]


async def test_what_a_process_leaves_behind_is_ended(
    settings: Settings, home: Path, fault: Fault
) -> None:
    fault("graph", "grandchild")
    async with running(settings, services=("graph",), command=standin) as mesh:
        first = int((home / "grandchild").read_text())
        mesh.kill("graph")
        await mesh.until_healthy("graph", restarts=1)
        assert gone(first)
        second = int((home / "grandchild").read_text())
        assert psutil.pid_exists(second)
    assert gone(second)


async def test_a_service_that_cannot_start_is_named_with_its_log(
    settings: Settings, fault: Fault
) -> None:
    fault("timeline", "crash")
    seen: dict[str, int] = {}

    def note(_mesh: Mesh, changed: child.Child) -> None:
        if changed.pid:
            seen[changed.process.name] = changed.pid

    with pytest.raises(StartFailedError, match="timeline cannot go on") as raised:
        async with running(settings, command=standin, on_change=note):
            pass
    assert str(settings.home / "log/timeline.log") in str(raised.value)
    assert "\n" not in str(raised.value)
    assert {"postgres", "redis", "tweet", "graph"} <= seen.keys()
    assert all(gone(pid) for pid in seen.values())
    assert control.find(settings.home) is None


async def test_a_service_that_never_serves_is_named(
    settings: Settings, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.local.processes.START_SECONDS", 2.0)
    fault("graph", "hang")
    with pytest.raises(StartFailedError, match="health is NOT_SERVING"):
        async with running(settings, services=("graph",), command=standin):
            pass


async def test_a_second_mesh_in_one_home_is_refused(settings: Settings) -> None:
    async with running(settings, services=()):
        with pytest.raises(AlreadyRunningError, match="process "):
            async with running(settings, services=()):
                pass


async def test_a_taken_port_is_refused_before_anything_starts(empty_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} is taken"):
            async with running(Settings(home=empty_home, edge_port=port), command=standin):
                pass
    assert not (empty_home / "postgres/data").exists()


async def test_external_stores_are_used_where_they_are(settings: Settings, home: Path) -> None:
    async with embedded_redis(home / "elsewhere") as redis:
        there = replace(settings, redis_url=redis.url)
        async with running(there, services=("graph",), command=standin) as mesh:
            assert set(mesh.supervisor.children) == {"postgres", "graph"}
            assert mesh.state().stores["redis"] == redis.url


async def test_an_external_store_that_is_down_is_named_without_its_password(
    settings: Settings,
) -> None:
    dsn = "host=127.0.0.1 port=1 user=me password=hush dbname=tweet"
    with pytest.raises(StoreUnreachableError, match="AVIARY_TWEET_DSN") as raised:
        async with running(replace(settings, tweet_dsn=dsn), services=()):
            pass
    assert "hush" not in str(raised.value)


async def test_status_probes_now(settings: Settings) -> None:
    async with running(settings, services=("graph",), command=standin) as mesh:
        found = control.find(settings.home)
        assert found
        reports = {report.recorded.name: report for report in await control.inspect(found)}
        assert {report.health for report in reports.values()} == {"healthy"}
        assert all(report.rss > 2**20 for report in reports.values())
        psutil.Process(mesh.pid("graph")).suspend()
        reports = {report.recorded.name: report for report in await control.inspect(found)}
        assert reports["graph"].health.startswith("unhealthy")
        psutil.Process(mesh.pid("graph")).kill()


def test_ports_are_free_and_not_ephemeral() -> None:
    found = ports.free_ports(12, "127.0.0.1")
    assert len(set(found)) == 12
    assert max(found) < 32_768
    for port in found:
        socket.create_server(("127.0.0.1", port)).close()


def test_keys_are_made_once_and_rotation_keeps_the_old(settings: Settings) -> None:
    keys.ensure_keys(settings)
    pem, jwks = settings.signing_key_path.read_bytes(), settings.jwks_path.read_text()
    keys.ensure_keys(settings)
    assert (settings.signing_key_path.read_bytes(), settings.jwks_path.read_text()) == (pem, jwks)
    assert settings.signing_key_path.stat().st_mode & 0o777 == 0o600
    [key] = json.loads(jwks)["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    settings.signing_key_path.unlink()
    keys.ensure_keys(settings)
    assert [k["kid"] for k in json.loads(settings.jwks_path.read_text())["keys"]][1] == key["kid"]


def test_every_service_is_in_the_table() -> None:
    assert set(SERVICES) == {*COMPOSITIONS, "edge"}
