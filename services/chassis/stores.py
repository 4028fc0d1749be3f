"""PostgreSQL pools and Redis clients as async context managers, and migrations at start."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from .pools import Connection, Pool
from .redis_client import Redis, connected

__all__ = ["Connection", "Pool", "Redis", "check_pool", "migrate", "open_pool", "open_redis"]
CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"
STATEMENT_TIMEOUT_MS = 5_000
ACQUIRE_TIMEOUT = 2.0
"""Seconds to wait for a free connection before the call fails as UNAVAILABLE."""
MIGRATION_LOCK = 0x41564941
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def open_pool(dsn: str, *, size: int, name: str, wait: bool = True) -> AsyncIterator[Pool]:
    """Connections to one database, opened before it is handed out unless it may be away.

    Each is in autocommit (a transaction is opened where one is meant), prepares what repeats, and
    carries a statement timeout, so that no query outlives its caller for long.
    """
    pool = Pool(
        dsn,
        connection_class=Connection,
        open=False,
        min_size=min(2, size),
        max_size=size,
        name=name,
        timeout=ACQUIRE_TIMEOUT,
        check=None,
        # After a fail-over it is tried again when it is asked for, not after a growing pause.
        reconnect_timeout=1.0,
        kwargs={
            "autocommit": True,
            "application_name": name,
            "connect_timeout": 3,
            "prepare_threshold": 2,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c jit=off",
        },
    )
    await pool.open(wait=wait, timeout=30.0)
    try:
        yield pool
    finally:
        await pool.close(timeout=5.0)


@contextlib.asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """A Redis client that fails within a second, so that its callers can fall back."""
    async with connected(
        url,
        socket_timeout=0.9,
        socket_connect_timeout=0.9,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.1, base=0.01), retries=1),
        health_check_interval=0,
        max_connections=64,
        protocol=2,
    ) as client:
        yield client


async def migrate(dsn: str, folder: Path, *, chassis: bool = True) -> None:
    """Apply the migrations that a database lacks, each once, under a lock that all starters share.

    A service's files are `NNN_name.sql` in `folder`; the chassis' own tables come first.
    """
    folders = ([CHASSIS_MIGRATIONS] if chassis else []) + [folder]
    async with await Connection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            " name text PRIMARY KEY, applied_time timestamptz NOT NULL DEFAULT now())"
        )
        rows = await (await connection.execute("SELECT name FROM schema_migrations")).fetchall()
        applied = {row[0] for row in rows}
        for path in [path for each in folders for path in sorted(each.glob("*.sql"))]:
            name = f"{path.parents[1].name}/{path.name}"
            if name not in applied:
                await _apply(connection, name, path.read_text())


async def _apply(connection: Connection, name: str, sql: str) -> None:
    async with connection.transaction():
        await connection.execute(sql.encode())
        await connection.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (name,))
    log.info("migration applied", name=name)


async def check_pool(pool: Pool) -> None:
    """Health check: the database answers."""
    async with pool.connection(timeout=1.0) as connection:
        await connection.execute("SELECT 1")
