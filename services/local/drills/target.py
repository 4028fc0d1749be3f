"""The mesh under drill, as its state file describes it, and faults to inject by process id.

It need not be our own child: the supervisor is another process, which restarts what was killed.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil

from services.chassis.config import Settings
from services.local import folders, state
from services.local.child import Health
from services.local.errors import LocalError
from services.local.layout import kind_of
from services.local.probes import Probe, ProbeFailedError, ProbeKind
from services.local.state import MeshState, ProcessState

LOOK_SECONDS = 0.1
HEAL_SECONDS = 120.0


class NothingToDrillError(LocalError):
    """No mesh runs there, or it lacks what the drill is about."""


class FaultMissingError(LocalError):
    """The fault did not happen, so that the drill says nothing."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the fault did not happen: {what}")


class NotHealedError(LocalError):
    """The mesh is not healthy a long time after the fault."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"not healthy after the drill: {', '.join(names) or 'what answers'}")


class Target:
    """A running mesh."""

    def __init__(self, home: Path) -> None:
        self._places = folders.locate(home)
        self.settings = _settings_of(self.state)

    @property
    def state(self) -> MeshState:
        """What runs now."""
        found = state.read(self._places.state_file)
        if found is None:
            raise NothingToDrillError(f"no mesh runs in {self._places.home}")
        return found

    def process(self, name: str) -> ProcessState:
        """One process as it is now."""
        return next(row for row in self.state.processes if row.name == name)

    def names(self, *kinds: str) -> list[str]:
        """The processes of these kinds."""
        return [row.name for row in self.state.processes if kind_of(row.name) in kinds]

    def zones(self) -> list[str]:
        """The zones, in their order."""
        return sorted({row.zone for row in self.state.processes if row.zone})

    def in_zone(self, zone: str) -> list[str]:
        """Everything of a zone."""
        return [row.name for row in self.state.processes if row.zone == zone]

    @property
    def edges(self) -> list[str]:
        """Addresses of the edges."""
        host = self.settings.bind_address
        return [f"{host}:{self.process(name).ports['http']}" for name in self.names("edge")]

    def address(self, name: str) -> str:
        """The gRPC address of a process."""
        return f"{self.settings.bind_address}:{self.process(name).ports['grpc']}"

    def pid(self, name: str) -> int:
        """The process id; FaultMissingError while it is down."""
        pid = self.process(name).pid
        if pid is None:
            raise FaultMissingError(f"{name} is not running")
        return pid

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a process a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(name), number)

    async def stop(self, name: str, number: signal.Signals, seconds: float = 60.0) -> None:
        """Send a process a signal and wait for its end; FaultMissingError if it does not come."""
        pid = self.pid(name)
        self.kill(name, number)
        if not await until(lambda: _gone(pid), seconds):
            raise FaultMissingError(f"{name} still runs")

    @contextlib.asynccontextmanager
    async def frozen(self, name: str) -> AsyncIterator[None]:
        """Stop a process and its children where they are, as long as this is open."""
        process = psutil.Process(self.pid(name))
        family = [process, *process.children(recursive=True)]
        try:
            for one in family:
                one.suspend()
            if not await until(lambda: all(map(_stopped, family)), 5.0):
                raise FaultMissingError(f"{name} is not frozen")
            yield
        finally:
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.resume()

    @contextlib.contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Processes that end meanwhile stay down until this is left."""
        files = [self._places.hold_file(name) for name in names]
        try:
            for file in files:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                file.touch()
            yield
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    async def healthy(self, names: list[str] | None = None, seconds: float = HEAL_SECONDS) -> None:
        """Wait until these (all) are recorded as healthy and answer."""
        wanted = set(names) if names is not None else None

        async def well() -> bool:
            rows = [row for row in self.state.processes if wanted is None or row.name in wanted]
            if any(row.health != Health.HEALTHY for row in rows):
                return False
            return all(await asyncio.gather(*(_answers(row) for row in rows)))

        for _ in range(int(seconds / LOOK_SECONDS)):
            if await well():
                return
            await asyncio.sleep(LOOK_SECONDS)
        sick = [row.name for row in self.state.processes if row.health != Health.HEALTHY]
        raise NotHealedError(sick)

    async def restarted(self, name: str, restarts: int, seconds: float = HEAL_SECONDS) -> None:
        """Wait until a process is healthy after more restarts than these."""

        def again() -> bool:
            row = self.process(name)
            return row.restarts > restarts and row.health == Health.HEALTHY

        if not await until(again, seconds):
            raise FaultMissingError(f"{name} did not come back")


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true in time."""
    for _ in range(int(seconds / LOOK_SECONDS) + 1):
        if condition():
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


def _stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def _answers(row: ProcessState) -> bool:
    kind, target = row.probe
    try:
        await Probe(ProbeKind(kind), target).check()
    except ProbeFailedError:
        return False
    return True


def _settings_of(mesh: MeshState) -> Settings:
    """The settings that the mesh's services were started with, read from one of them."""
    for row in mesh.processes:
        if kind_of(row.name) == "timeline" and row.pid:
            return Settings.from_environ(psutil.Process(row.pid).environ())
    raise NothingToDrillError("the mesh has no timeline service")
