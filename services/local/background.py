"""Starts a supervisor in the background and waits until its mesh is healthy."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.local import folders, state
from services.local.errors import LocalError
from services.local.logs import last_lines, rotate
from services.local.state import MeshState


class BackgroundFailedError(LocalError):
    """The supervisor in the background ended before its mesh was healthy."""

    def __init__(self, reason: str, log_file: Path) -> None:
        super().__init__(reason or f"the mesh ended while it started (log: {log_file})")
        self.log_file = log_file


def start(
    home: Path, command: tuple[str, ...], on_change: Callable[[MeshState], None]
) -> MeshState:
    """Run the command in a session of its own; return when its mesh is healthy.

    Its last line is the reason if it fails. Interrupting the wait stops what was started.
    """
    places = folders.prepare(home)
    log_file = places.log_file("aviary")
    with state.lock(places):  # refused here, before the log of the running one is moved
        rotate(log_file)
    with log_file.open("ab") as log:
        supervisor = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        return _until_ready(supervisor, places, on_change)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _until_ready(
    supervisor: subprocess.Popen[bytes],
    places: folders.Folders,
    on_change: Callable[[MeshState], None],
) -> MeshState:
    """Each process has its own limit of time, so the wait as a whole needs none."""
    log_file = places.log_file("aviary")
    while supervisor.poll() is None:
        mesh = state.read(places.state_file)
        if mesh and mesh.pid == supervisor.pid:
            on_change(mesh)
            if mesh.ready:
                return mesh
        time.sleep(0.05)
    reason = last_lines(log_file, count=1).removeprefix("error: ")
    raise BackgroundFailedError(reason, log_file)
