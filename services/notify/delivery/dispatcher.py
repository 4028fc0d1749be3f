"""The worker's other half: it claims what is due, makes it, and notes what became of it.

Between sending and noting a crash leaves a lease that runs out: then it is sent once more, which is
counted. A push message has its notification's topic and a mail its delivery's Message-ID, so that
whoever gets it twice can tell.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from clients.errors import PeerError
from services.chassis.events.wake import Wake

from ..domain_preferences import Channel
from ..store.deliveries import DEAD, DROPPED, SENT, Claimed, DeliveryStore
from .outcomes import Dropped, Failed, Outcome, Sent, gives_up, pause

POLL_SECONDS = 0.5
GAUGE_SECONDS = 5.0
KEEP_HOUSE_SECONDS = 3_600.0
log = structlog.get_logger()


class Maker(Protocol):
    """Makes deliveries of one channel."""

    async def batches(self, claimed: Sequence[Claimed]) -> Sequence[Sequence[Claimed]]:
        """Which of them go together as one message."""
        ...

    async def make(self, together: Sequence[Claimed]) -> Outcome:
        """Make one message of them."""
        ...


class DeliveryMetrics:
    """What is delivered, and what waits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "aviary_notify_deliveries", "Attempts by channel and how they ended",
            ["channel", "outcome"], registry=registry,
        )  # fmt: skip
        self.repeated = Counter(
            "aviary_notify_deliveries_repeated",
            "Attempts after one of which nobody knows how it ended",
            ["channel"], registry=registry,
        )  # fmt: skip
        self.waiting = Gauge(
            "aviary_notify_deliveries_waiting", "Deliveries that wait", ["channel"],
            registry=registry,
        )  # fmt: skip
        self.dead = Gauge(
            "aviary_notify_deliveries_dead", "Deliveries that were given up", ["channel"],
            registry=registry,
        )  # fmt: skip


class Dispatcher:
    """Delivers by one channel, so many messages at a time."""

    def __init__(
        self,
        channel: Channel,
        store: DeliveryStore,
        maker: Maker,
        metrics: DeliveryMetrics,
        concurrency: int,
    ) -> None:
        self._channel = channel
        self._name = channel.name.lower()
        self._store = store
        self._maker = maker
        self._metrics = metrics
        self._concurrency = concurrency

    async def run(self, draining: asyncio.Event, wake: Wake) -> None:
        """Deliver until it is time to go; what was claimed is finished."""
        while not draining.is_set():
            seen = wake.count
            try:
                if await self.step():
                    continue
            except (psycopg.Error, OSError) as error:
                log.warning("deliveries wait", channel=self._name, why=str(error))
            with contextlib.suppress(TimeoutError):
                await wake.wait(seen, POLL_SECONDS)

    async def step(self) -> int:
        """Make what is due now; how many deliveries that were."""
        claimed = await self._store.claim(self._channel, self._concurrency)
        if not claimed:
            return 0
        self._metrics.repeated.labels(self._name).inc(sum(each.repeated for each in claimed))
        batches = await self._maker.batches(claimed)
        await asyncio.gather(*(self._make(batch) for batch in batches))
        return len(claimed)

    async def _make(self, together: Sequence[Claimed]) -> None:
        try:
            outcome = await self._maker.make(together)
        except (PeerError, psycopg.Error, OSError) as error:
            outcome = Failed(f"{type(error).__name__}: {error}")
        except Exception as error:
            log.exception("a delivery failed", channel=self._name)
            outcome = Failed(repr(error))
        await self._note([each.delivery_id for each in together], outcome, together[0].attempts)

    async def _note(self, ids: Sequence[int], outcome: Outcome, attempts: int) -> None:
        match outcome:
            case Sent():
                await self._store.settle(ids, SENT)
            case Dropped(why):
                await self._store.settle(ids, DROPPED, why)
            case Failed() if gives_up(attempts, outcome):
                log.error("delivery given up", channel=self._name, ids=ids, why=outcome.error)
                await self._store.settle(ids, DEAD, outcome.error, outcome.reached)
            case Failed(error, _, after, reached):
                await self._store.postpone(ids, pause(attempts, after), error, reached)
        self._metrics.ended.labels(self._name, type(outcome).__name__.lower()).inc(len(ids))


async def watch_queues(store: DeliveryStore, metrics: DeliveryMetrics) -> None:
    """Keep the gauges, for ever."""
    while True:
        try:
            for queue in await store.queues():
                name = queue.channel.name.lower()
                metrics.waiting.labels(name).set(queue.waiting)
                metrics.dead.labels(name).set(queue.dead)
        except (psycopg.Error, OSError) as error:
            log.warning("queues not counted", why=str(error))
        await asyncio.sleep(GAUGE_SECONDS)
