"""The running mesh: the whole of it for `aviary up`, parts of it for tests.

    async with running(settings) as mesh:               # everything
    async with running(settings, services=("tweet",)):  # the stores and one service
    async with stores(home) as mesh:                    # PostgreSQL and Redis

Enter it on the main thread: children die with the thread that started them.
"""

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from services.chassis.config import Settings
from services.local import addresses, folders, state
from services.local.certificates import Authority
from services.local.child import Child, Health
from services.local.folders import Folders
from services.local.keys import ensure_keys
from services.local.postgres_cluster import PostgresCluster
from services.local.processes import SERVICES, Command, Plan, plan, reachable, service_command
from services.local.supervisor import Supervisor


class Mesh:
    """Handles on a running mesh: where things are, and faults to inject."""

    def __init__(
        self, table: Plan, places: Folders, on_change: Callable[["Mesh", Child], None]
    ) -> None:
        self.settings = table.settings
        """As given, completed with the addresses of everything that runs."""
        self._postgres = table.stores.postgres
        self.authority = Authority()
        """Who signs the certificates of a mesh."""
        self.folders = places
        self.supervisor = Supervisor(table.processes, places.log, on_change=self._changed)
        self._on_change = on_change
        self._ready = False
        self._hosts: dict[str, str] = {}
        self._created = psutil.Process().create_time()

    @property
    def redis_url(self) -> str:
        """URL of Redis."""
        return self.settings.redis_url

    @property
    def edge_url(self) -> str:
        """URL of the edge."""
        return f"http://{reachable(self.settings)}:{self.settings.edge_port}"

    @property
    def postgres(self) -> PostgresCluster | None:
        """The replicated PostgreSQL, where it is that."""
        return self._postgres

    @property
    def host(self) -> str:
        """The host in use; a worker may be on grpcio beside services that are in Envoy."""
        found = self._hosts.values()
        return "envoy" if "envoy" in found else next(iter(found), self.settings.host)

    def dsn(self, database: str) -> str:
        """Return the connection string of the database `tweet`, `graph` or `notify`."""
        dsn: str = getattr(self.settings, f"{database}_dsn")
        return dsn

    def address(self, name: str) -> str:
        """Return the gRPC address of a process."""
        return f"{reachable(self.settings)}:{self._child(name).process.ports['grpc']}"

    def ports(self, name: str) -> dict[str, int]:
        """Ports of a process, by what is served there: grpc, metrics, http."""
        return dict(self._child(name).process.ports)

    def pid(self, name: str) -> int:
        """Process id; LookupError while it is down."""
        if (pid := self._child(name).pid) is None:
            raise LookupError(f"{name} is {self._child(name).health}")
        return pid

    def restarts(self, name: str) -> int:
        """How often a process has been started again after a crash."""
        return self._child(name).restarts

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a process a signal; the supervisor restarts it if it ends."""
        os.kill(self.pid(name), number)

    async def until_healthy(self, name: str, *, restarts: int = 0, seconds: float = 30.0) -> None:
        """Wait until a process is healthy and has been restarted at least so often."""
        await self._child(name).until_healthy(restarts, seconds)

    async def stop(self, name: str) -> None:
        """Stop a process and leave it down."""
        await self._child(name).stop()

    async def start(self, name: str) -> None:
        """Start a process that was stopped; returns when it is healthy."""
        await self._child(name).start()

    def state(self) -> state.MeshState:
        """Describe everything, as the state file does."""
        return state.MeshState(
            pid=os.getpid(),
            created=self._created,
            home=str(self.folders.home),
            host=self.host,
            edge_url=self.edge_url if "edge" in self.supervisor.children else "",
            ready=self._ready,
            stores=addresses.shown(self.settings),
            processes=[_process_state(child) for child in self.supervisor.children.values()],
        )

    def ready(self) -> None:
        """Note that everything is healthy."""
        self._ready = True
        state.write(self.state(), self.folders.state_file)

    def _child(self, name: str) -> Child:
        return self.supervisor.children[name]

    def _changed(self, child: Child) -> None:
        if child.health is Health.HEALTHY and "grpc" in child.process.ports and child.pid:
            self._hosts[child.process.name] = _host_of(child.pid)
        with suppress(OSError):  # a full disk must not keep a crashed process down
            state.write(self.state(), self.folders.state_file)
        self._on_change(self, child)


def unnoticed(_mesh: Mesh, _child: Child) -> None:
    """Take notice of nothing."""


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    services: Iterable[str] = SERVICES,
    command: Command = service_command,
    on_change: Callable[[Mesh, Child], None] = unnoticed,
) -> AsyncIterator[Mesh]:
    """Run the stores and the services; entered when all are healthy, left when all have ended.

    `edge_port=0` takes a free port. `command` replaces the services' programs by stand-ins.
    Raises LocalError, in one line, for whatever a user can put right.
    """
    services = tuple(services)
    places = folders.prepare(settings.home)
    with state.lock(places):
        await addresses.check_external(settings)
        folders.release(places)
        table = plan(settings, places, services, command)
        if services:
            ensure_keys(table.settings)
        mesh = Mesh(table, places, on_change)
        for name in services if settings.mesh else ():
            mesh.authority.issue(table.settings.certificates(name), name)
        try:
            async with mesh.supervisor:
                mesh.ready()
                yield mesh
        finally:
            with suppress(OSError):
                places.state_file.unlink(missing_ok=True)


@asynccontextmanager
async def stores(home: Path) -> AsyncIterator[Mesh]:
    """Run PostgreSQL and Redis alone, whatever the environment says."""
    async with running(replace(Settings(), home=home), services=()) as mesh:
        yield mesh


def _process_state(child: Child) -> state.ProcessState:
    process = child.process
    return state.ProcessState(
        name=process.name,
        pid=child.pid,
        ports=process.ports,
        health=child.health,
        restarts=child.restarts,
        started=child.started,
        log=str(child.log_file),
        probe=(process.probe.kind, process.probe.target),
        zone=process.zone,
    )


def _host_of(pid: int) -> str:
    """Which host really serves: Envoy shows in the process or among its children."""
    try:
        process = psutil.Process(pid)
        names = [part.name() for part in (process, *process.children(recursive=True))]
    except psutil.Error:
        return "unknown"
    return "envoy" if any("envoy" in name for name in names) else "grpcio"
