"""A real edge in front of stand-ins for the services."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from services.chassis.config import Settings
from services.chassis.hosts.grpcio import listen
from services.chassis.server import open_server
from services.chassis.tokens import TokenSigner
from services.local.keys import ensure_keys
from services.local.ports import free_ports

from .upstream import SERVICES, Log, compose_of

START_SECONDS = 15.0


@dataclass
class Edge:
    """A running edge: its settings, a client, and what reached the services."""

    settings: Settings
    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    log: Log
    sign: Callable[..., str]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.edge_port}"

    def bearer(self, user_id: int = 123, **claims: object) -> dict[str, str]:
        """The header of a user whom the quotas do not hinder."""
        token = self.sign(user_id, **{"plan": "unlimited", **claims})
        return {"authorization": f"Bearer {token}"}


async def spawn(settings: Settings) -> asyncio.subprocess.Process:
    """Start an edge process; it writes `edge.log` in its home."""
    ensure_keys(settings)
    environ = {**os.environ, **settings.to_environ()}
    with (settings.home / "edge.log").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "edge", env=environ, stdout=output, stderr=output
        )


@contextlib.asynccontextmanager
async def running_edge(settings: Settings, log: Log) -> AsyncIterator[Edge]:
    """An edge process, with keys of its own; entered when it is healthy."""
    process = await spawn(settings)
    url = f"http://127.0.0.1:{settings.edge_port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=15.0, trust_env=False) as client:
            await _until_healthy(client, process)
            sign = TokenSigner(settings.signing_key_path).sign
            yield Edge(settings, process, client, log, sign)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_healthy(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError("the edge ended by itself")


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ave-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def edge_settings(home: Path) -> Settings:
    """Settings with a port for everything; nothing listens there yet."""
    edge, metrics, *services = free_ports(2 + len(SERVICES), "127.0.0.1")
    tweet, graph, timeline, search, notify = (f"127.0.0.1:{port}" for port in services)
    return replace(
        Settings(),
        home=home,
        instance="edge",
        edge_port=edge,
        metrics_port=metrics,
        drain_seconds=3.0,
        public_url=f"http://127.0.0.1:{edge}",
        tweet_address=tweet,
        graph_address=graph,
        timeline_address=timeline,
        search_address=search,
        notify_address=notify,
    )


@pytest.fixture(scope="session")
async def edge(edge_settings: Settings) -> AsyncIterator[Edge]:
    """The edge with all services behind it."""
    log = Log()
    async with contextlib.AsyncExitStack() as stack:
        for name in SERVICES:
            own = replace(edge_settings, metrics_port=0)
            server = await stack.enter_async_context(open_server(name, compose_of(name, log), own))
            address = getattr(edge_settings, f"{name}_address")
            listener = await listen(server, address)
            stack.push_async_callback(listener.stop, 0)
        yield await stack.enter_async_context(running_edge(edge_settings, log))
