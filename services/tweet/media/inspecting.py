"""Inspections in processes of their own, a bounded number at a time.

Such a process gets no settings and no secrets, limits itself (memory, CPU, file size), and is
killed when it takes too long; whatever becomes of it, this service goes on.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import structlog

from services.chassis.errors import OverloadedError

from ..errors import MediaBrokenError, MediaPixelsError
from .domain_formats import MAX_PIXELS, MAX_SIDE, MediaType
from .inspect.findings import Findings

MODULE = "services.tweet.media.inspect"
BROKEN, TOO_MANY_PIXELS = 3, 4
WALL_SECONDS = 30.0
MAX_WAITING = 32
log = structlog.get_logger()


class Inspector:
    """Runs at most `workers` inspections; more wait, and too many are refused."""

    def __init__(self, workers: int, wall_seconds: float = WALL_SECONDS) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._wall_seconds = wall_seconds
        self._waiting = 0

    async def inspect(self, kind: MediaType, folder: Path) -> Findings:
        """Inspect the `body` in a folder. Raises MEDIA_BROKEN and MEDIA_TOO_LARGE."""
        if self._waiting >= MAX_WAITING:
            raise OverloadedError(resource="the inspection of media")
        self._waiting += 1
        try:
            async with self._slots:
                code, output = await self._run(kind, folder)
        finally:
            self._waiting -= 1
        return _findings(kind, code, output)

    async def _run(self, kind: MediaType, folder: Path) -> tuple[int, bytes]:
        arguments = [_python(), "-m", MODULE, kind.extension, str(folder)]
        child = await _started(arguments)
        ended = asyncio.ensure_future(asyncio.to_thread(child.communicate))
        try:
            async with asyncio.timeout(self._wall_seconds):
                output, errors = await asyncio.shield(ended)
        except TimeoutError:
            log.warning("inspection took too long", type=kind.content_type)
            return -1, b""
        finally:
            child.kill()  # does nothing to one that has ended
            await asyncio.wait([ended])
        if child.returncode not in {0, BROKEN, TOO_MANY_PIXELS}:
            log.warning("inspection failed", code=child.returncode, why=errors[-500:].decode())
        return child.returncode, output


async def _started(arguments: list[str]) -> "subprocess.Popen[bytes]":
    starting = asyncio.ensure_future(asyncio.to_thread(_start, arguments))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_abandon)
        raise


def _abandon(started: "asyncio.Future[subprocess.Popen[bytes]]") -> None:
    """End a process that nobody waits for any more."""
    if started.exception() is None:
        child = started.result()
        child.kill()
        child.communicate()


def _start(arguments: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        arguments,
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _python() -> str:
    """The program of the Python that runs: inside Envoy `sys.executable` is another one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.prefix) / "bin" / name
    return str(program) if program.exists() else sys.executable


def _findings(kind: MediaType, code: int, output: bytes) -> Findings:
    if code == TOO_MANY_PIXELS:
        width, height = output.split()
        raise MediaPixelsError(
            field="body",
            width=int(width),
            height=int(height),
            maximum_side=MAX_SIDE,
            maximum_pixels=MAX_PIXELS,
        )
    if code == BROKEN:
        problem = output.decode(errors="replace").strip()
        raise MediaBrokenError(field="body", content_type=kind.content_type, problem=problem)
    if code != 0:
        problem = "it takes more time or memory than a medium may"
        raise MediaBrokenError(field="body", content_type=kind.content_type, problem=problem)
    return Findings.load(output)
