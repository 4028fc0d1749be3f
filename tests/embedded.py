"""PostgreSQL alone, in a home of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.local import folders
from services.local.postgres_server import EmbeddedPostgres, at
from services.local.supervisor import Supervisor


@asynccontextmanager
async def embedded_postgres(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Run PostgreSQL alone; a crashed one is restarted."""
    places = folders.prepare(home)
    postgres = at(places)
    async with Supervisor([postgres.process(places)], places.log):
        yield postgres
