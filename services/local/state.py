"""The state file: what a supervisor runs, readable by `status` and `down` in another process."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from services.local.errors import AlreadyRunningError, HomeUnusableError
from services.local.folders import Folders


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A process as its supervisor last saw it."""

    name: str
    pid: int | None
    ports: Mapping[str, int]
    health: str
    restarts: int
    started: float
    """Unix time."""
    log: str
    probe: tuple[str, str]
    """Kind and target of the health check."""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshState:
    """A mesh as its supervisor last saw it."""

    pid: int
    created: float
    """When the supervisor's process was created: a process id may be given twice."""
    home: str
    host: str
    edge_url: str
    ready: bool
    """Whether everything has been healthy at least once."""
    stores: Mapping[str, str]
    """Addresses without passwords."""
    processes: list[ProcessState] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether the supervisor still runs; a zombie that nobody collects does not."""
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE
            return not ended and abs(process.create_time() - self.created) < 1.0
        except psutil.NoSuchProcess:
            return False


def write(state: MeshState, file: Path) -> None:
    """Replace the state file whole."""
    half = file.with_name(f"{file.name}.new")
    half.write_text(json.dumps(asdict(state), indent=2))
    half.replace(file)


def read(file: Path) -> MeshState | None:
    """Read the state, if there is a file and its supervisor lives."""
    try:
        values = json.loads(file.read_text())
        rows = [ProcessState(**row) for row in values.pop("processes")]
        state = MeshState(**values, processes=rows)
    except PermissionError as error:
        raise HomeUnusableError(file.parent, "it belongs to another user") from error
    except (OSError, ValueError, TypeError, LookupError):  # absent, or of another release
        return None
    return state if state.alive else None


@contextmanager
def lock(places: Folders) -> Iterator[None]:
    """Hold the home for this process alone."""
    descriptor = os.open(places.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(places.home, int(file.read() or 0)) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
