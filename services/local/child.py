"""One supervised process: started, watched, restarted with back-off, stopped."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from services.local.errors import LocalError, StartFailedError
from services.local.logs import last_lines, rotate
from services.local.probes import ProbeFailedError
from services.local.process import Process, launched

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
STEADY_SECONDS = 60.0  # a process healthy for so long has earned a quick restart again
HOLD_SECONDS = 0.1


class Health(StrEnum):
    """What a process is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    CRASHED = "crashed"
    STOPPED = "stopped"


class Child:
    """A process of the table and what has become of it."""

    def __init__(
        self, process: Process, log_file: Path, on_change: Callable[["Child"], None]
    ) -> None:
        self.process = process
        self.log_file = log_file
        self.health = Health.WAITING
        self.restarts = 0
        self.started = 0.0
        """Unix time of the newest start."""
        self._on_change = on_change
        self._running: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY
        self._news = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, while there is one."""
        running = self._running
        return running.pid if running and running.returncode is None else None

    async def start(self) -> None:
        """Start it and return when it is healthy; StartFailedError if it does not become so."""
        try:
            await self._start()
        except OSError as error:
            raise StartFailedError(self.process.name, f"fails: {error}", self.log_file) from error
        self._become(Health.HEALTHY)
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.process.name}")

    async def stop(self) -> None:
        """End it with ever stronger signals."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        await self._end()
        self._become(Health.STOPPED)

    async def until_healthy(self, restarts: int, seconds: float) -> None:
        """Wait until it is healthy after at least so many restarts; TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.health is not Health.HEALTHY or self.restarts < restarts:
                await self._news.wait()

    async def _start(self) -> None:
        rotate(self.log_file)
        await self._spawn()
        await self._until_healthy()
        if self.process.complete:
            await self.process.complete()

    async def _watch(self) -> None:
        while True:
            assert self._running
            await self._running.wait()
            self._sweep()
            if time.time() - self.started > STEADY_SECONDS:
                self._delay = FIRST_DELAY
            self._become(Health.CRASHED)
            if self.process.ended:
                await self.process.ended()
            await self._pause()
            self.restarts += 1
            try:
                await self._spawn()
                await self._until_healthy()
            except (LocalError, OSError):  # OSError: no memory, no disk, no descriptor left
                await self._end()
            else:
                self._become(Health.HEALTHY)

    async def _pause(self) -> None:
        """Back off, and stay down for as long as a drill wants it."""
        await asyncio.sleep(self._delay)
        self._delay = min(self._delay * 2, LONGEST_DELAY)
        while self._held():  # noqa: ASYNC110 - another process makes the file
            await asyncio.sleep(HOLD_SECONDS)

    def _held(self) -> bool:
        return self.process.hold is not None and self.process.hold.exists()

    async def _spawn(self) -> None:
        process = self.process
        if process.prepare:
            await process.prepare()
        argv = launched(process.argv, account=process.account, death_signal=process.death_signal)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._running = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(process.environ),
                cwd=process.folder,
                start_new_session=True,
            )
        self.started = time.time()
        self._become(Health.STARTING)

    async def _until_healthy(self) -> None:
        assert self._running
        ended = asyncio.ensure_future(self._running.wait())
        deadline, pause = time.monotonic() + self.process.start_seconds, 0.02
        try:
            while True:
                reason = await self._unhealthy()
                if ended.done():
                    raise self._failure(f"ended with code {ended.result()}")
                if not reason:
                    return
                if time.monotonic() > deadline:
                    seconds = self.process.start_seconds
                    raise self._failure(f"is not healthy after {seconds:.0f} s: {reason}")
                await asyncio.wait([ended], timeout=pause)
                pause = min(pause * 1.5, 0.25)
        finally:
            ended.cancel()

    async def _unhealthy(self) -> str:
        try:
            await self.process.probe.check()
        except ProbeFailedError as failure:
            return str(failure)
        return ""

    def _failure(self, what: str) -> StartFailedError:
        lines = last_lines(self.log_file)
        reason = f"{what}; it said: {lines}" if lines else what
        return StartFailedError(self.process.name, reason, self.log_file)

    async def _end(self) -> None:
        if not self._running:
            return
        for number in self.process.stop_signals:
            if self._running.returncode is None:
                with suppress(ProcessLookupError):
                    self._running.send_signal(number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._running.wait(), self.process.grace_seconds)
        self._sweep()

    def _sweep(self) -> None:
        """End what the process may have left behind in its group, such as an Envoy of its own."""
        assert self._running
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running.pid, self.process.stop_signals[-1])

    def _become(self, health: Health) -> None:
        self.health = health
        self._news.set()
        self._news = asyncio.Event()
        self._on_change(self)
