"""`status` and `down`: a look at, and the end of, a mesh that another process supervises."""

import asyncio
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from services.local import folders, state
from services.local.child import Health
from services.local.errors import NotOursError, NotStoppedError
from services.local.probes import Probe, ProbeFailedError, ProbeKind
from services.local.state import MeshState, ProcessState

STOP_SECONDS = 120.0  # three levels of services that drain, then a last checkpoint


@dataclass(frozen=True, slots=True)
class Report:
    """A process as it is now."""

    recorded: ProcessState
    health: str
    """As probed now; a word, then the reason if it is not healthy."""
    uptime: float
    """Seconds since its newest start."""
    rss: int
    """Bytes of it and its children; pages that they share count once."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `aviary status --json`."""
        fields = asdict(self.recorded)
        del fields["probe"], fields["started"]
        return {**fields, "health": self.health, "uptime": round(self.uptime, 1), "rss": self.rss}


def find(home: Path) -> MeshState | None:
    """Find the mesh that runs in a home, if one does."""
    return state.read(folders.locate(home).state_file)


async def inspect(mesh: MeshState) -> list[Report]:
    """Probe every process of a mesh now."""
    return list(await asyncio.gather(*(_inspect(row) for row in mesh.processes)))


def stop(mesh: MeshState, seconds: float = STOP_SECONDS) -> None:
    """Tell the supervisor to stop everything, and wait for its end."""
    if mesh.alive:
        try:
            os.kill(mesh.pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        except PermissionError:
            raise NotOursError(mesh.pid) from None
    deadline = time.monotonic() + seconds
    while mesh.alive:
        if time.monotonic() > deadline:
            raise NotStoppedError(mesh.pid, seconds)
        time.sleep(0.05)


async def _inspect(row: ProcessState) -> Report:
    up = row.pid is not None and row.health in (Health.STARTING, Health.HEALTHY)
    health = await _probe(row) if up else row.health
    uptime = time.time() - row.started if up else 0.0
    return Report(row, health, uptime, _memory(row.pid) if row.pid else 0)


async def _probe(row: ProcessState) -> str:
    kind, target = row.probe
    try:
        await Probe(ProbeKind(kind), target).check()
    except ProbeFailedError as failure:
        return row.health if row.health == Health.STARTING else f"unhealthy: {failure}"
    return Health.HEALTHY


def _memory(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        return sum(map(_own_memory, (process, *process.children(recursive=True))))
    except psutil.Error:
        return 0


def _own_memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
        return int(getattr(info, "pss", info.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
