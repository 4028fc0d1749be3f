"""Real stores for every test: one PostgreSQL and one Redis a session, a fresh database a test."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis.asyncio as redis
import structlog
from hypothesis import settings

from services.local.mesh import Mesh
from services.local.mesh import stores as run_stores

# The same examples in every run: a build that turns red says that something changed. New ones are
# looked for with HYPOTHESIS_PROFILE=explore.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    """A developer's own `AVIARY_*` must not change what is tested."""
    for name in [name for name in os.environ if name.startswith("AVIARY_")]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _lines_go_where_errors_go_now() -> Iterator[None]:
    """A test that captures closes its stream; a logger that kept it would fail in a later one."""
    configure = structlog.configure

    def following(**options: Any) -> None:
        options["logger_factory"] = lambda *_: structlog.WriteLogger(sys.stderr)
        configure(**{**options, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", following)
        yield


@pytest.fixture(scope="session")
async def stores() -> AsyncIterator[Mesh]:
    """PostgreSQL and Redis, in a home with a short path (sockets' paths are limited)."""
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)  # PostgreSQL's own account passes through when root runs the tests
    try:
        async with run_stores(home) as mesh:
            yield mesh
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def dsn(stores: Mesh) -> AsyncIterator[str]:
    """A database of the test's own."""
    name = f"test_{next(_numbers)}"
    admin = await psycopg.AsyncConnection.connect(stores.dsn("tweet"), autocommit=True)
    async with admin:
        await admin.execute(f"CREATE DATABASE {name}")
        yield psycopg.conninfo.make_conninfo(stores.dsn("tweet"), dbname=name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis_url(stores: Mesh) -> str:
    """An empty Redis."""
    client = redis.Redis.from_url(stores.redis_url)
    await client.flushall()
    await client.aclose()
    return stores.redis_url
