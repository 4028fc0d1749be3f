"""Starts a table of processes in the order of their needs, and stops it in reverse."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local.child import Child
from services.local.errors import LocalError
from services.local.process import Process


def ignore(_child: Child) -> None:
    """Take notice of nothing."""


class Supervisor:
    """The running table; an async context manager that is entered when everything is healthy.

    Start it on the main thread: the kernel ties children to the thread that made them.
    """

    def __init__(
        self,
        processes: Iterable[Process],
        log_folder: Path,
        *,
        on_change: Callable[[Child], None] = ignore,
    ) -> None:
        rows = list(processes)
        self.children = {
            row.name: Child(row, log_folder / f"{row.name}.log", on_change) for row in rows
        }
        if len(self.children) != len(rows):
            raise ValueError("two processes have one name")
        if strangers := {need for row in rows for need in row.needs} - self.children.keys():
            raise ValueError(f"unknown processes are needed: {', '.join(sorted(strangers))}")

    async def __aenter__(self) -> Self:
        """Start everything; if one fails, stop the others and say which."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything."""
        await self.stop()

    async def start(self) -> None:
        """Start each process as soon as all that it needs are healthy."""
        healthy = {name: asyncio.Event() for name in self.children}
        try:
            async with asyncio.TaskGroup() as group:
                for child in self.children.values():
                    group.create_task(self._start(child, healthy))
        except BaseExceptionGroup as errors:  # not except*: it wraps what is raised inside it
            raise (_first(errors) or errors) from None

    async def stop(self) -> None:
        """Stop each process as soon as all that need it have ended; ends even when cancelled."""
        ended = {name: asyncio.Event() for name in self.children}
        async with asyncio.TaskGroup() as group:
            for child in self.children.values():
                group.create_task(self._stop(child, ended))

    async def _start(self, child: Child, healthy: dict[str, asyncio.Event]) -> None:
        for need in child.process.needs:
            await healthy[need].wait()
        await child.start()
        healthy[child.process.name].set()

    async def _stop(self, child: Child, ended: dict[str, asyncio.Event]) -> None:
        name = child.process.name
        for other in self.children.values():
            if name in other.process.needs:
                await ended[other.process.name].wait()
        try:
            await child.stop()
        finally:
            ended[name].set()


def _first(errors: BaseExceptionGroup[BaseException]) -> LocalError | None:
    known, others = errors.split(LocalError)
    first = known.exceptions[0] if known and not others else None
    return first if isinstance(first, LocalError) else None
