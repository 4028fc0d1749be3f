"""Work that goes on beside what is open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import structlog

Work = Coroutine[Any, Any, object]
PAUSE_SECONDS = 0.1
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def running(*works: Work) -> AsyncIterator[None]:
    """Run these as long as this is open; then they are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def working(draining: asyncio.Event, *works: Work) -> AsyncIterator[None]:
    """Run these as long as this is open; then `draining` is set, and they end by themselves."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        draining.set()
        await asyncio.wait(tasks)


async def keep_sweeping(
    sweep: Callable[[], Awaitable[int]], seconds: float, complaint: str
) -> None:
    """Sweep now and then, each time until there is nothing left; a failure is only logged.

    `sweep` does a bounded piece of the work, and says how many things it did.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            while await sweep():  # noqa: ASYNC110 - a pause for others, not a wait
                await asyncio.sleep(PAUSE_SECONDS)
        except Exception as error:
            log.warning(complaint, why=str(error))
