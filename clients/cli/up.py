"""`aviary up`: the supervisor in the foreground, or in a background process of its own."""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

import typer

from clients.cli.demo import make_world
from clients.cli.welcome import welcome
from services.chassis.config import Settings
from services.local import background
from services.local.child import Child, Health
from services.local.mesh import Mesh, running
from services.local.state import MeshState, ProcessState

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(settings: Settings, *, demo: bool) -> None:
    """Run the mesh until Ctrl-C, SIGTERM or SIGHUP."""
    with suppress(asyncio.CancelledError):
        asyncio.run(_run(settings, demo=demo))
    say("stopped")


def run_detached(settings: Settings, *, demo: bool) -> None:
    """Start the mesh in the background and return when it is healthy."""
    command = (sys.executable, "-m", "clients.cli.main", "up")
    options = ("--home", str(settings.home), "--port", str(settings.edge_port))
    size = (
        *("--search-shards", str(settings.local_search_shards)),
        *("--replicas", str(settings.local_replicas), "--zones", str(settings.local_zones)),
        *(("--mesh",) if settings.mesh else ()),
        *(("--redis", settings.local_redis) if settings.local_redis else ()),
        *(("--databases", settings.local_databases) if settings.local_databases else ()),
    )
    progress = Progress()
    mesh = background.start(settings.home, (*command, *options, *size), progress.update)
    if demo:
        asyncio.run(make_world(urlsplit(mesh.edge_url).netloc))
    say(welcome(mesh, demo=demo))


def say(line: str) -> None:
    """Print, unless nobody reads any more: the mesh outlives a closed terminal or pipe."""
    with suppress(OSError):
        typer.echo(line)


class Progress:
    """Prints a line whenever a process becomes healthy or crashes."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seen: dict[str, str] = {}

    def update(self, mesh: MeshState) -> None:
        """Print what has changed since the last time."""
        for row in mesh.processes:
            if self._seen.get(row.name) != row.health:
                self._seen[row.name] = row.health
                self._print(row)

    def _print(self, row: ProcessState) -> None:
        if row.health == Health.HEALTHY:
            again = f" again, after {row.restarts} restarts" if row.restarts else ""
            seconds = time.monotonic() - self._began
            say(f"{row.name:16} healthy{again}   {seconds:.1f} s")
        elif row.health == Health.CRASHED:
            say(f"{row.name:16} crashed; it will be restarted (log: {row.log})")


async def _run(settings: Settings, *, demo: bool) -> None:
    task = asyncio.current_task()
    assert task
    told = False

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, stop)
    progress = Progress()

    def changed(mesh: Mesh, _child: Child) -> None:
        progress.update(mesh.state())

    async with running(settings, on_change=changed) as mesh:
        if demo:
            await make_world(urlsplit(mesh.edge_url).netloc)
        say(welcome(mesh.state(), demo=demo))
        try:
            await loop.create_future()
        finally:
            say("stopping ...")
