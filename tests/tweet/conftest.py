"""The Tweet service: one that the tests share, emptied before each, and fresh ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from services.chassis.config import Settings
from services.local.mesh import Mesh

from .graph import GraphServicer, graph
from .harness import Tweets, running, settings
from .media_rig import MediaRig

TABLES = (
    *("tweets", "mentions", "replies", "idempotency_keys", "ingest_keys", "deletions"),
    *("favorites", "retweets", "tweet_counts", "moments", "moment_keys"),
    *("events", "event_cursors", "event_members"),
    *("media_uses", "media", "media_garbage"),
)


@pytest.fixture(scope="session")
async def config(stores: Mesh, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """Settings of the service that the tests share."""
    async with _database(stores, "tweet_tests") as dsn:
        yield settings(tmp_path_factory.mktemp("tweet"), dsn, stores.redis_url)


@pytest.fixture(scope="session")
async def service(config: Settings) -> AsyncIterator[Tweets]:
    async with running(config) as started:
        yield started


@pytest.fixture
async def tweets(service: Tweets, redis_url: str) -> Tweets:
    """The shared service, empty, as is Redis."""
    assert redis_url
    await _empty(service)
    return service


@pytest.fixture
async def fresh(dsn: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Tweets]:
    """A service and a database of the test's own."""
    async with running(settings(tmp_path / "home", dsn, redis_url)) as started:
        yield started


@pytest.fixture
async def media(tweets: Tweets, config: Settings) -> MediaRig:
    """The shared service's media; there are none, and no object is stored."""
    rig = MediaRig(tweets, config)
    rig.clear()
    return rig


@pytest.fixture
async def known(config: Settings, redis_url: str) -> AsyncIterator[tuple[Tweets, GraphServicer]]:
    """A service on the shared database, emptied, and the Graph service that it asks."""
    assert redis_url
    async with graph(config) as (settings, servicer), running(settings) as tweets:
        await _empty(tweets)
        yield tweets, servicer


async def _empty(tweets: Tweets) -> None:
    await tweets.sql("; ".join(f"DELETE FROM {table}" for table in TABLES))


@asynccontextmanager
async def _database(stores: Mesh, name: str) -> AsyncIterator[str]:
    admin = await psycopg.AsyncConnection.connect(stores.dsn("tweet"), autocommit=True)
    async with admin:
        await admin.execute(f"CREATE DATABASE {name}".encode())
        yield psycopg.conninfo.make_conninfo(stores.dsn("tweet"), dbname=name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
