"""PostgreSQL connections that wake listeners once their transaction is over.

NOTIFY within a transaction takes a lock of the whole server at commit and keeps it while the commit
waits for the synchronous standby (PreCommit_Notify in PostgreSQL's async.c): writers of all its
databases would commit one after the other. Here it is sent afterwards, by a transaction that writes
nothing and so waits for nobody; what a crash leaves unsaid is found by polling.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

PAUSE_SECONDS = 0.01
"""Between two rounds of waking: who was woken looks for a while anyway."""
log = structlog.get_logger()


class Connection(psycopg.AsyncConnection[psycopg.rows.TupleRow]):
    """A connection that remembers whom to wake."""

    to_wake: frozenset[str] = frozenset()

    def wake(self, channel: str) -> None:
        """Send NOTIFY when the connection goes back to its pool, which is after the commit."""
        self.to_wake |= {channel}


class Pool(AsyncConnectionPool[Connection]):
    """A pool that wakes listeners, many appends at a time."""

    _to_wake: frozenset[str] = frozenset()
    _waking: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> AsyncIterator[Connection]:
        """A connection, for as long as the context is open."""
        async with super().connection(timeout) as connection:
            yield connection
            channels, connection.to_wake = connection.to_wake, frozenset()
        if channels:
            self._to_wake |= channels
            if self._waking is None or self._waking.done():
                self._waking = asyncio.create_task(self._wake())

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - psycopg's own
        """Say what is unsaid, and close."""
        if self._waking is not None:
            await asyncio.wait([self._waking], timeout=timeout)
            self._waking.cancel()
        await super().close(timeout)

    async def _wake(self) -> None:
        while self._to_wake:
            channels, self._to_wake = self._to_wake, frozenset()
            try:
                async with super().connection() as connection:
                    for channel in channels:
                        await connection.execute(f"NOTIFY {channel}".encode())
            except (psycopg.Error, PoolTimeout) as error:
                log.info("nobody was woken; they poll", channels=sorted(channels), why=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
