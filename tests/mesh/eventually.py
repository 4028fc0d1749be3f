"""Waiting for what comes some milliseconds after its cause."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")
SECONDS = 30.0
"""Patience of a test on a busy machine; promises are shorter, and measured by the bench."""


async def eventually(read: Callable[[], Awaitable[Value]], expected: Value) -> None:
    """Read until what is read is as expected; fail with the last difference."""
    give_up = time.monotonic() + SECONDS
    while (found := await read()) != expected and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
    assert found == expected
