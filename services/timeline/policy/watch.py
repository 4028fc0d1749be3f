"""The policy as one process knows it: polled every second, kept while PostgreSQL is away."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Self

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Gauge

from .domain import Policy, State
from .store import PolicyStore

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 3.0
"""How long PostgreSQL may take to answer one poll."""
AWAY: tuple[type[Exception], ...] = (psycopg.Error, OSError)
"""What looking raises while PostgreSQL is away; a TimeoutError is an OSError."""
log = structlog.get_logger()


class PolicyMetrics:
    """What a process knows of the policy."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.age = Gauge(
            "aviary_timeline_policy_age_seconds",
            "Since the fan-out policy was last known to be in force",
            registry=registry,
        )
        self.authors = Gauge(
            "aviary_timeline_registered_authors",
            "Authors whose rings are merged in, by state: entering, pulled or leaving",
            ["state"],
            registry=registry,
        )


class PolicyWatch:
    """Knows the policy in force from when it is entered; one poll is one row by primary key.

    Entering it raises what AWAY says: a process that never knew who is pulled must not answer.
    Later failures leave the last policy in force.
    """

    def __init__(
        self,
        store: PolicyStore,
        registry: CollectorRegistry,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._metrics = PolicyMetrics(registry)
        self._metrics.age.set_function(lambda: time.monotonic() - self._known_at)
        self._policy = Policy()
        self._known_at = time.monotonic()
        self._away = False
        self._turn = asyncio.Lock()
        self._poller: asyncio.Task[None] | None = None

    @property
    def current(self) -> Policy:
        """The last policy that is known."""
        return self._policy

    async def __aenter__(self) -> Self:
        """Load the policy and begin to poll."""
        await self.refresh()
        self._poller = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End polling."""
        if self._poller is not None:
            self._poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poller

    async def refresh(self) -> None:
        """Look now; raises what AWAY says."""
        async with self._turn, asyncio.timeout(PATIENCE_SECONDS):
            fresh = await self._store.load(self._policy.version)
            self._known_at = time.monotonic()
        if fresh is not None:
            self._policy = fresh.after(self._policy)
            states = list(fresh.states.values())
            for state in State:
                self._metrics.authors.labels(state=state).set(states.count(state))

    async def enter(self, user_ids: Collection[int]) -> None:
        """Put authors into the registry; while PostgreSQL is away they stay pushed."""
        if self._away:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):  # the batch's other authors wait
                await self._store.enter(user_ids)
            await self.refresh()
        except AWAY as error:
            self._went_away(error)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.refresh()
            except AWAY as error:
                self._went_away(error)
            else:
                if self._away:
                    log.info("the fan-out policy is known again", version=self._policy.version)
                self._away = False

    def _went_away(self, error: Exception) -> None:
        if not self._away:
            log.warning("the fan-out policy cannot be read, the last one stays", why=str(error))
        self._away = True
