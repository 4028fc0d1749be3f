"""The mesh that a drill is run on: one that runs already, or one of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from services.chassis.config import Settings
from services.local import control
from services.local.folders import temporary_home

SIZE = ("--replicas", "2", "--zones", "3")


@contextlib.contextmanager
def mesh_home(home: Path | None, *, fresh: bool) -> Iterator[Path]:
    """The home of a mesh that runs; with `fresh` of one that is started, and stopped afterwards."""
    if not fresh:
        yield (home or Settings.from_environ().home).expanduser().absolute()
        return
    command = [sys.executable, "-m", "clients.cli.main", "up", "--detach", *SIZE]
    typer.echo(f"starting a mesh: aviary up {' '.join(SIZE)}")
    with temporary_home() as place:
        options = ("--home", str(place), "--port", "0")
        try:
            subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
            yield place
        finally:
            if mesh := control.find(place):
                control.stop(mesh)
