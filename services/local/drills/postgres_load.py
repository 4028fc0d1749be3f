"""How busy PostgreSQL is at most while something happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg

LOOK_SECONDS = 0.05
_LOOK = """
SELECT count(*), count(*) FILTER (WHERE state = 'active'), current_setting('max_connections')::int
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass
class Busiest:
    """The most connections that were seen, how many of them at work, and how many there may be."""

    connections: int = 0
    active: int = 0
    maximum: int = 0

    def __str__(self) -> str:
        """As a report says it."""
        connections = f"{self.connections} of {self.maximum} connections"
        return f"PostgreSQL had at most {connections}, {self.active} at work"


@contextlib.asynccontextmanager
async def watched(dsn: str) -> AsyncIterator[Busiest]:
    """Look at the server behind a DSN as long as this is open."""
    busiest = Busiest()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await _look(connection, busiest)
        looking = asyncio.create_task(_keep_looking(connection, busiest))
        try:
            yield busiest
        finally:
            looking.cancel()
            await asyncio.wait([looking])


async def _keep_looking(connection: psycopg.AsyncConnection, busiest: Busiest) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await _look(connection, busiest)


async def _look(connection: psycopg.AsyncConnection, busiest: Busiest) -> None:
    row = await (await connection.execute(_LOOK)).fetchone()
    assert row
    busiest.connections = max(busiest.connections, row[0])
    busiest.active = max(busiest.active, row[1])
    busiest.maximum = row[2]
