"""Homes with short paths, the mesh with stand-ins for services, and the command line around it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from services.chassis.config import Settings
from services.local.mesh import stores

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).with_name("standin.py")


def standin(service: str) -> tuple[str, ...]:
    return (sys.executable, str(STANDIN), service)


@contextmanager
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="av-"))
    folder.chmod(0o711)  # PostgreSQL's account passes through when root runs the tests
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_home() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
async def used_home() -> AsyncIterator[Path]:
    """A home that has been started once: copying its data is quicker than making them."""
    with short_folder() as folder:
        async with stores(folder):
            pass
        yield folder


@pytest.fixture
def home(used_home: Path, empty_home: Path) -> Path:
    copy = ("cp", "-a", str(used_home / "postgres"), str(empty_home))  # keeps the owner
    subprocess.run(copy, check=True)
    return empty_home


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, edge_port=0, drain_seconds=1.0)


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends in time; a zombie that waits for its parent has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def tree(pid: int) -> list[int]:
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


class CommandLine:
    """Runs `aviary` in a copy of the project whose services are stand-ins."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project = project
        self.home = home
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AVIARY_")}
        self.environ = {
            **inherited,
            "AVIARY_HOME": str(home),
            "AVIARY_EDGE_PORT": "0",
            "AVIARY_DRAIN_SECONDS": "1",
            "PYTHONPATH": os.pathsep.join((str(project), *sys.path)),
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "clients.cli.main", *arguments],
            cwd=self.project,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def up(self) -> subprocess.Popen[str]:
        """Start in the foreground and wait until it says that it is up."""
        process = self.start("up")
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "home_timeline" in line:
                return process
        raise AssertionError(said)


@pytest.fixture
def project(home: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="av-project-"))
    (folder / "services").mkdir()
    for part in (ROOT / "services").iterdir():
        if part.name != "__main__.py":
            (folder / "services" / part.name).symlink_to(part)
    (folder / "clients").symlink_to(ROOT / "clients")
    run = f"import runpy\nrunpy.run_path({str(STANDIN)!r}, run_name='__main__')\n"
    (folder / "services" / "__main__.py").write_text(run)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def aviary(project: Path, home: Path) -> Iterator[CommandLine]:
    line = CommandLine(project, home)
    yield line
    line.run("down")
    for process in line.started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def fault(home: Path) -> Callable[[str, str], None]:
    def plant(name: str, kind: str) -> None:
        (home / f"fault-{name}").write_text(kind)

    return plant
