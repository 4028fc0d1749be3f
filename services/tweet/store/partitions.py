"""The months of the table `tweets`, each a partition made before anything can fall into it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Gauge

from services.chassis.background import running
from services.chassis.snowflake import id_at, unix_ms_of
from services.chassis.stores import Connection, Pool

MONTHS_AHEAD = 3
LOOK_SECONDS = 3_600.0
LOCK = 0x41565057
_BOUNDS = """
SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tweets'::regclass
"""
_UPPER = re.compile(r"TO \('?(\d+)'?\)")
log = structlog.get_logger()


async def make_ahead(pool: Pool, now: datetime) -> datetime:
    """Make the partitions up to some months from now; until when there are some.

    They are attached rather than made in place: that stops no reader and no writer.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        await connection.execute("SET LOCAL lock_timeout = '2s'")
        end = await _end(connection)
        while end < _month(now, MONTHS_AHEAD + 1):
            following = _month(end, 1)
            await _make(connection, end, following)
            end = following
        return end


async def _end(connection: Connection) -> datetime:
    """Where the last partition ends."""
    rows = await (await connection.execute(_BOUNDS)).fetchall()
    uppers = [int(match[1]) for (text,) in rows if (match := _UPPER.search(text))]
    return datetime.fromtimestamp(unix_ms_of(max(uppers)) / 1000, UTC)


async def _make(connection: Connection, start: datetime, end: datetime) -> None:
    name = f"tweets_{start:%Y_%m}"
    await connection.execute(f"CREATE TABLE {name} (LIKE tweets INCLUDING ALL)".encode())
    await connection.execute(
        f"ALTER TABLE tweets ATTACH PARTITION {name}"
        f" FOR VALUES FROM ({_first_id(start)}) TO ({_first_id(end)})".encode()
    )
    log.info("partition made", name=name)


def _first_id(moment: datetime) -> int:
    return id_at(int(moment.timestamp() * 1000))


def _month(moment: datetime, later: int) -> datetime:
    """The start of the month that is so many months later."""
    months = moment.year * 12 + moment.month - 1 + later
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


@contextlib.asynccontextmanager
async def made_ahead(pool: Pool, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Make partitions now and as long as this is open."""
    until = Gauge(
        "aviary_tweet_partitions_until_timestamp_seconds",
        "Tweets made up to here have a partition (Unix time)",
        registry=registry,
    )
    until.set((await make_ahead(pool, datetime.now(UTC))).timestamp())
    async with running(_keep_ahead(pool, until)):
        yield


async def _keep_ahead(pool: Pool, until: Gauge) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            until.set((await make_ahead(pool, datetime.now(UTC))).timestamp())
        except Exception as error:
            log.exception("partitions not made ahead", why=str(error))
