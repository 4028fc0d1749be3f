"""A read replica: how far it is behind, and whether a page may come from it.

**How far.** Once a second the primary's position in its log is noted with the time, and then what
the replica has replayed: whatever was committed before the newest noted position that it has
reached is there. So an idle primary is no lag, and a replica that is cut off from a busy one is.
Replay timestamps alone would say the opposite of both.

**Which pages.** Being some seconds behind only makes a timeline begin a little late, as long as the
pages of one walk do not go back in time: what the primary has shown the way to must be there. So
the token of a page from the primary says when it was read, and the replica answers the next one
only when it has everything from before that instant. One server must be behind the DSN: with two
that lag differently, the walk could go back in time between them.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Gauge

from services.chassis.background import running
from services.chassis.stores import Pool

MAX_LAG_MS = 3_000
"""With a look each second, what it answers is never 5 s old: so soon a delete must show."""
SKEW_MS = 500
"""How much the clocks of two replicas of this service may differ."""
INTERVAL = 1.0
"""Seconds between two looks at the positions."""
TIMEOUT = 0.5
"""Seconds that the replica may take before the primary is asked instead."""
REST_SECONDS = 2.0
"""After a failure the replica is left alone for so long, so that not every call waits for it."""
MAX_SAMPLES = 30
Result = TypeVar("Result")
log = structlog.get_logger()


class ReplicaAwayError(Exception):
    """The replica did not answer, or not in time; the primary will."""


class Sample(NamedTuple):
    """A position in the primary's log (in bytes), and when it was there (Unix milliseconds)."""

    at_ms: int
    position: int


class Freshness:
    """What is known of a replica's lag."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self._replayed = -1

    def primary_at(self, at_ms: int, position: int) -> None:
        """Note that the primary was at a position."""
        if self._samples and position < self._samples[-1].position:
            self._samples.clear()  # another server was promoted: what was noted never came to be
        self._samples.append(Sample(at_ms, position))

    def replica_at(self, position: int) -> None:
        """Note what the replica has replayed."""
        self._replayed = position

    def forget(self) -> None:
        """Know nothing of the replica any more."""
        self._replayed = -1

    @property
    def complete_ms(self) -> int:
        """The replica has what was committed before this instant (Unix milliseconds; 0: none)."""
        reached = (s.at_ms for s in reversed(self._samples) if s.position <= self._replayed)
        return next(reached, 0)

    def lag_ms(self, now_ms: int) -> int | None:
        """How far it is behind, at most; None while that is not known.

        While the primary is away there is nothing to be behind of.
        """
        if not self._samples or self._replayed < 0:
            return None
        if self._replayed >= self._samples[-1].position:
            return 0
        complete = self.complete_ms
        return now_ms - complete if complete else None


class Replica:
    """A replica that is watched; `read` asks it where it may answer."""

    def __init__(
        self,
        pool: Pool,
        primary: Pool,
        registry: CollectorRegistry,
        clock_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._primary = primary
        self._clock_ms = clock_ms
        self._freshness = Freshness()
        self._rests_until = 0.0
        self._usable = False
        self._left: set[asyncio.Task[Any]] = set()
        self._lag = Gauge(
            "aviary_tweet_replica_lag_seconds",
            "How far the read replica is behind, at most; NaN while it is not used",
            registry=registry,
        )
        self._lag.set(float("nan"))

    def may_answer(self, complete_ms: int) -> bool:
        """Whether it is to be asked for what was committed before an instant (0: any)."""
        if not self._usable:
            return False
        return not complete_ms or self._freshness.complete_ms >= complete_ms + SKEW_MS

    async def read(self, reading: Coroutine[Any, Any, Result]) -> Result:
        """What a reading from its pool gives; raises ReplicaAwayError, soon."""
        try:
            return await self._within(TIMEOUT, reading)
        except (psycopg.Error, OSError, TimeoutError) as error:
            self._fail(error)
            raise ReplicaAwayError from error

    async def watch(self) -> None:
        """Keep track of it, for ever."""
        while True:
            if time.monotonic() >= self._rests_until:
                await self._look()
            await asyncio.sleep(INTERVAL)

    async def close(self) -> None:
        """Give up what was left behind."""
        for task in self._left:
            task.cancel()
        if self._left:
            await asyncio.wait(self._left)

    async def _look(self) -> None:
        try:
            at_ms = self._clock_ms()
            self._freshness.primary_at(at_ms, await self._within(TIMEOUT, _written(self._primary)))
        except (psycopg.Error, OSError, TimeoutError) as error:
            log.info("the primary's position is not known", why=str(error))
        try:
            replayed = await self._within(TIMEOUT, _replayed(self._pool))
        except (psycopg.Error, OSError, TimeoutError) as error:
            self._fail(error)
            return
        if replayed is None:
            self._fail(ValueError("AVIARY_TWEET_REPLICA_DSN is no replica"))
            return
        self._freshness.replica_at(replayed)
        lag_ms = self._freshness.lag_ms(self._clock_ms())
        self._use(lag_ms is not None and lag_ms <= MAX_LAG_MS, f"lag {lag_ms} ms")
        self._lag.set(float("nan") if lag_ms is None else lag_ms / 1000)

    def _fail(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + REST_SECONDS
        self._freshness.forget()
        self._lag.set(float("nan"))
        self._use(False, str(error) or type(error).__name__)

    def _use(self, usable: bool, why: str) -> None:
        if usable != self._usable:
            log.info("read replica in use" if usable else "read replica not used", why=why)
        self._usable = usable

    async def _within(self, seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
        """The outcome of some work, or TimeoutError, at once even where it cannot be cancelled.

        A query on a server that hangs is not over when it is cancelled: psycopg waits for the
        server to confirm that.
        """
        task = asyncio.create_task(work)
        self._left.add(task)
        task.add_done_callback(self._forget)
        try:
            done, _ = await asyncio.wait([task], timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            raise TimeoutError("no answer in time")
        return task.result()

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has raised it, or has gone


@contextlib.asynccontextmanager
async def watching(
    pool: Pool, primary: Pool, registry: CollectorRegistry, clock_ms: Callable[[], int]
) -> AsyncIterator[Replica]:
    """A replica that is watched as long as this is open."""
    replica = Replica(pool, primary, registry, clock_ms)
    try:
        async with running(replica.watch()):
            yield replica
    finally:
        await replica.close()


async def _written(pool: Pool) -> int:
    """Where the primary's log ends, as bytes from its start."""
    return await _number(pool, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint") or 0


async def _replayed(pool: Pool) -> int | None:
    """How far a replica has replayed; None where the server is no replica."""
    return await _number(
        pool,
        "SELECT CASE WHEN pg_is_in_recovery()"
        " THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END",
    )


async def _number(pool: Pool, query: str) -> int | None:
    async with pool.connection() as connection:
        (number,) = await (await connection.execute(query.encode())).fetchone() or (None,)
        return None if number is None else int(number)
