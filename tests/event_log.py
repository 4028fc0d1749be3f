"""An event log in a database of its own, and the server that hands it out."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from services.chassis import stores
from services.chassis.config import Settings
from services.chassis.events.servicer import DESCRIPTOR, event_servicer
from services.chassis.hosts import grpcio
from services.chassis.policy import Access, Policy, Rule
from services.chassis.server import Runtime, Server, Service, open_server

from .ports import free_port

RULES = {f"/{DESCRIPTOR.full_name}/{m.name}": Rule(Access.INTERNAL, "") for m in DESCRIPTOR.methods}


class ServedLog:
    """A database with a log, and the address that serves it while `serve()` is entered."""

    def __init__(self, pool: stores.Pool, server: Server) -> None:
        self.pool = pool
        self.address = f"127.0.0.1:{free_port()}"
        self.server = server

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        listener = await grpcio.listen(self.server, self.address)
        try:
            yield
        finally:
            await listener.stop(0)


@contextlib.asynccontextmanager
async def log_server(dsn: str, size: int) -> AsyncIterator[tuple[stores.Pool, Server]]:
    """A log's database with a pool of that size, and its server, drained at the end."""

    @contextlib.asynccontextmanager
    async def compose(runtime: Runtime) -> AsyncIterator[Service]:
        async with event_servicer(pool, dsn, runtime.draining) as servicer:
            yield Service({DESCRIPTOR: servicer}, {}, Policy(RULES))

    await stores.migrate(dsn, Path("/nonexistent"))
    async with (
        stores.open_pool(dsn, size=size, name="test") as pool,
        open_server("test", compose, Settings(log_level="error")) as server,
    ):
        try:
            yield pool, server
        finally:
            server.drain()
