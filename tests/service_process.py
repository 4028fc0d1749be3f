"""A service in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

END_SECONDS = 15.0


@contextlib.contextmanager
def service_process(name: str, home: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m services NAME`, which writes to `home/log`; it is told to end, and ends."""
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", name],
            env={**os.environ, "AVIARY_HOME": str(home), **settings},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        finally:
            process.kill()
            process.wait()
