"""Composition root of the Notify service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from services.chassis.server import Runtime, Service
from services.chassis.stores import check_pool, migrate, open_pool

from .servicer.notify import DESCRIPTOR, NotifyServicer

MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service on its database."""
    settings = runtime.settings
    await migrate(settings.notify_dsn, MIGRATIONS)
    async with open_pool(settings.notify_dsn, size=settings.pool_size, name="notify") as pool:
        yield Service({DESCRIPTOR: NotifyServicer()}, {"postgres": partial(check_pool, pool)})
