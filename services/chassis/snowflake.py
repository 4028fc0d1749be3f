"""Ids: 64 bits that sort by time and are unique without asking anybody.

41 bits of milliseconds since 2024-01-01, 10 bits of worker number, 12 bits of sequence. The worker
number is leased in PostgreSQL: two processes never hold the same one at a time, and a lease carries
the highest millisecond that its holders may have used, so that a number handed on, or a clock that
steps back, cannot make an id twice.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import structlog

from .background import running
from .errors import UnavailableError
from .pools import Pool

EPOCH_MS = 1_704_067_200_000
WORKER_BITS, SEQUENCE_BITS = 10, 12
WORKERS, SEQUENCES = 1 << WORKER_BITS, 1 << SEQUENCE_BITS
LEASE_SECONDS = 30.0
log = structlog.get_logger()


def wall_clock_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def id_at(unix_ms: int) -> int:
    """The smallest id that could be made at this moment."""
    return (unix_ms - EPOCH_MS) << (WORKER_BITS + SEQUENCE_BITS)


def unix_ms_of(snowflake: int) -> int:
    """The moment, in milliseconds since the Unix epoch, at which an id was made."""
    return (snowflake >> (WORKER_BITS + SEQUENCE_BITS)) + EPOCH_MS


class Snowflakes:
    """Makes ids for one worker number, strictly increasing whatever the clock does.

    `allow_until` is the first millisecond that the lease does not cover; past it UNAVAILABLE.
    """

    def __init__(
        self, worker: int, *, after_ms: int, clock: Callable[[], int] = wall_clock_ms
    ) -> None:
        if not 0 <= worker < WORKERS:
            raise ValueError(f"worker number {worker} is not in 0..{WORKERS - 1}")
        self._worker = worker << SEQUENCE_BITS
        self._clock = clock
        self._last_ms = after_ms
        self._sequence = SEQUENCES
        self.allow_until = 1 << 62

    @property
    def last_ms(self) -> int:
        """The last millisecond of which an id may have been made."""
        return self._last_ms

    def next(self) -> int:
        """A new id, larger than every one before."""
        now = self._clock()
        if now > self._last_ms:
            self._last_ms, self._sequence = now, 0
        elif self._sequence >= SEQUENCES:
            self._last_ms, self._sequence = self._last_ms + 1, 0
        if self._last_ms >= self.allow_until:
            raise UnavailableError(resource="the lease of the id generator")
        made = ((self._last_ms - EPOCH_MS) << 22) | self._worker | self._sequence
        self._sequence += 1
        return made


@contextlib.asynccontextmanager
async def leased_snowflakes(
    pool: Pool, holder: str, clock: Callable[[], int] = wall_clock_ms
) -> AsyncIterator[Snowflakes]:
    """A generator whose worker number is leased in this database and kept while it is open."""
    worker, after_ms = await _acquire(pool, holder)
    lease = _Lease(pool, holder, worker, Snowflakes(worker, after_ms=after_ms, clock=clock), clock)
    await lease.renew()
    try:
        async with running(lease.keep()):
            yield lease.snowflakes
    finally:
        with contextlib.suppress(Exception):
            await lease.release()


async def _acquire(pool: Pool, holder: str) -> tuple[int, int]:
    """A worker number that nobody has, and the last millisecond that was used with it."""
    async with pool.connection() as connection:
        row = await (
            await connection.execute(
                """
                WITH free AS (
                  SELECT worker FROM snowflake_workers WHERE lease_until < now()
                  ORDER BY lease_until FOR UPDATE SKIP LOCKED LIMIT 1)
                UPDATE snowflake_workers w
                SET holder = %s, lease_until = now() + %s * interval '1 second'
                FROM free WHERE w.worker = free.worker
                RETURNING w.worker, w.used_until_ms
                """,
                (holder, LEASE_SECONDS),
            )
        ).fetchone()
    if row is None:
        raise UnavailableError(resource="a free worker number")
    return int(row[0]), int(row[1])


class _Lease:
    """A worker number that is ours, and the generator that uses it."""

    def __init__(
        self,
        pool: Pool,
        holder: str,
        worker: int,
        snowflakes: Snowflakes,
        clock: Callable[[], int],
    ) -> None:
        self.snowflakes = snowflakes
        self._pool = pool
        self._holder = holder
        self._worker = worker
        self._clock = clock

    async def renew(self) -> None:
        """Extend the lease; the mark of used milliseconds is written before any is used."""
        until = self._clock() + int(LEASE_SECONDS * 1000)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE snowflake_workers
                SET lease_until = now() + %s * interval '1 second',
                    used_until_ms = greatest(used_until_ms, %s)
                WHERE worker = %s AND holder = %s
                """,
                (LEASE_SECONDS, until, self._worker, self._holder),
            )
            if cursor.rowcount != 1:
                raise UnavailableError(resource="the lease of the id generator")
        self.snowflakes.allow_until = until

    async def keep(self) -> None:
        """Renew for ever, long before it ends."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                await self.renew()
            except Exception as error:
                log.warning("id lease not renewed", worker=self._worker, why=str(error))

    async def release(self) -> None:
        """Hand the number back, with the last millisecond that was used."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE snowflake_workers SET lease_until = now(), holder = '', used_until_ms = %s"
                " WHERE worker = %s AND holder = %s",
                (self.snowflakes.last_ms, self._worker, self._holder),
            )
