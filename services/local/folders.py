"""Where the mesh of one machine keeps things: data, keys, logs, sockets, state."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.local.errors import HomeUnusableError

LONGEST_SOCKET = 103  # sun_path has 108 bytes on Linux, 104 on macOS, with the closing zero
LONGEST_NAME = len("/postgres-timeline/.s.PGSQL.5432")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one home; `prepare` makes them."""

    home: Path
    sockets: Path
    """Unix sockets: `home`/run, or a private folder below the temp folder when that is too long."""

    @property
    def run(self) -> Path:
        """State and lock of the supervisor."""
        return self.home / "run"

    @property
    def log(self) -> Path:
        """A log per process."""
        return self.home / "log"

    @property
    def postgres(self) -> Path:
        """Data of the embedded PostgreSQL, and its programs where they had to be copied."""
        return self.home / "postgres"

    @property
    def state_file(self) -> Path:
        """What the supervisor runs, for `status` and `down`."""
        return self.run / "state.json"

    def hold_file(self, name: str) -> Path:
        """What keeps the process of that name down once it has ended."""
        return self.run / "hold" / name

    def log_file(self, name: str) -> Path:
        """Where the process of that name writes."""
        return self.log / f"{name}.log"


def locate(home: Path) -> Folders:
    """Name the folders of a home, without making them."""
    home = home.expanduser().absolute()
    return Folders(home=home, sockets=_socket_folder(home))


def prepare(home: Path) -> Folders:
    """Make the folders of a home; root's may be passed through by PostgreSQL's account."""
    folders = locate(home)
    open_mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folders.home.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            folders.home.chmod(folders.home.stat().st_mode & 0o777 | open_mode)
        for folder in (folders.run, folders.postgres, folders.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            _ours(folder)
            folder.chmod(open_mode)
        folders.log.mkdir(mode=0o700, exist_ok=True)
        _ours(folders.log)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HomeUnusableError(Path(error.filename or folders.home), reason) from error
    return folders


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home with a short path (those of sockets are limited) that goes again."""
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)  # PostgreSQL's own account passes through when root runs it
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def release(folders: Folders) -> None:
    """Hold nothing down any more, such as what a drill that was killed has left behind."""
    for file in (folders.run / "hold").glob("*"):
        file.unlink(missing_ok=True)


def _ours(folder: Path) -> None:
    """Refuse a folder of another user, who could put things there (the temp folder is shared)."""
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise HomeUnusableError(folder, "it belongs to another user")


def _socket_folder(home: Path) -> Path:
    folder = home / "run"
    if len(os.fsencode(folder)) + LONGEST_NAME <= LONGEST_SOCKET:
        return folder
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"aviary-{os.geteuid()}-{digest}"
