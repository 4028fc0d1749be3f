"""When readers of the log look again: woken by what is appended, and now and then anyway."""

import asyncio
import random
import time

import psycopg
import structlog

EAGER_SECONDS, GATHER_SECONDS = 0.3, 0.02
"""For how long after a wake-up, and how often, to look: the row may not be settled yet, because
another transaction is still open, and more are likely to come. A read costs some 2 ms of the thread
that answers calls, so a reader makes at most 50 a second, unless it finds more than it can take."""
IDLE_POLL = 1.0
log = structlog.get_logger()


class Wake:
    """Says that something may have been appended; everybody who waits is woken."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.count = 0
        """Wake-ups so far: whoever has seen fewer has missed one."""

    def set(self) -> None:
        """Wake the waiting."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int, seconds: float) -> bool:
        """Wait for a wake-up beyond those seen, at most so long; whether one came."""
        if self.count != seen:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Pace:
    """One reader's rhythm: `look()` before each read, `rest()` after one that did not fill up.

    An event after a quiet time is read at once, the ones behind it together.
    """

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._seen = wake.count
        self._eager_until = 0.0

    def look(self) -> None:
        """Note the wake-ups that the coming read covers; one that comes during it counts anew."""
        if self._wake.count != self._seen:
            self._seen = self._wake.count
            self._eager_until = time.monotonic() + EAGER_SECONDS

    async def rest(self) -> None:
        """Wait until looking again makes sense."""
        if time.monotonic() < self._eager_until:
            await asyncio.sleep(GATHER_SECONDS)
        else:
            await self._wake.wait(self._seen, IDLE_POLL * random.uniform(0.8, 1.2))  # noqa: S311


async def listen(dsn: str, wake: Wake, channel: str) -> None:
    """Pass on PostgreSQL's notifications, for ever; polling covers what is missed."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await connection.execute(f"LISTEN {channel}".encode())
                async for _ in connection.notifies():
                    wake.set()
        except psycopg.Error as error:
            log.warning("not listening", channel=channel, why=str(error))
        await asyncio.sleep(1.0)
