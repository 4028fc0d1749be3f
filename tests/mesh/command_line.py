"""`aviary`, run as a user runs it, against the mesh of the tests."""

import os
import subprocess
import sys

from services.local.mesh import Mesh


def aviary(
    mesh: Mesh, *arguments: str, typed: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """The command's exit code and what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "clients.cli.main", *arguments],
        env={**os.environ, "AVIARY_HOME": str(mesh.settings.home), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        input=typed,
    )
