"""Composition root of the Search service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from services.chassis.server import Runtime, Service
from services.chassis.stores import check_pool, migrate, open_pool, open_redis

from .servicer import DESCRIPTOR, SearchServicer
from .trends.history import TrendHistory
from .trends.reader import TrendReader
from .trends.store import TrendStore

MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service with what trends need."""
    settings = runtime.settings
    await migrate(settings.search_dsn, MIGRATIONS, chassis=False)
    async with (
        open_pool(settings.search_dsn, size=2, name="search") as pool,
        open_redis(settings.redis_url) as redis,
    ):
        servicer = SearchServicer(TrendReader(TrendStore(redis)), TrendHistory(pool))
        yield Service({DESCRIPTOR: servicer}, {"postgres": partial(check_pool, pool)})
