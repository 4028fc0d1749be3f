"""Asking all shards at once: a deadline for each, a second replica when the first is slow.

A shard that does not answer is named, and the others' answers count: that is no error. A replica
that failed is left alone for a moment, so that not every query waits for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter

from clients.errors import PeerError

from .replica import Replica

DEADLINE = 0.5
"""Seconds that a shard may take."""
HEDGE = 0.05
"""Seconds after which a second replica is asked as well."""
REST_SECONDS = 1.0
Answer = TypeVar("Answer")
Ask = Callable[[Replica], Awaitable[Answer]]
log = structlog.get_logger()


class Gathered(NamedTuple, Generic[Answer]):
    """The answers of the shards that gave one, and the names of the others."""

    answers: list[Answer]
    unreachable: tuple[str, ...]


class Scatter:
    """All shards, each with its replicas."""

    def __init__(
        self,
        shards: Sequence[Sequence[Replica]],
        registry: CollectorRegistry,
        *,
        deadline: float = DEADLINE,
        hedge: float = HEDGE,
    ) -> None:
        self.shards = shards
        self._deadline = deadline
        self._hedge = hedge
        self._rests_until: dict[int, float] = {}
        self._left: set[asyncio.Task[object]] = set()
        self._missing = Counter(
            "aviary_search_unreachable_shards",
            "Answers that went without a shard",
            ["shard"],
            registry=registry,
        )
        self._hedged = Counter(
            "aviary_search_hedged_calls", "Calls to a second replica", registry=registry
        )

    async def ask(self, ask: Ask[Answer]) -> Gathered[Answer]:
        """What every shard answers that does so in time."""
        if len(self.shards) == 1 and not self.shards[0][0].address:
            return Gathered([await ask(self.shards[0][0])], ())
        answers = await asyncio.gather(*(self._one(replicas, ask) for replicas in self.shards))
        missing = [f"shard-{n}" for n, answer in enumerate(answers) if answer is None]
        for name in missing:
            self._missing.labels(name).inc()
        return Gathered([answer for answer in answers if answer is not None], tuple(missing))

    async def _one(self, replicas: Sequence[Replica], ask: Ask[Answer]) -> Answer | None:
        now = time.monotonic()
        awake = [r for r in replicas if self._rests_until.get(id(r), 0.0) <= now]
        give_up = now + self._deadline
        running: dict[asyncio.Task[Answer], Replica] = {}
        while awake or running:
            if awake:
                replica = awake.pop(0)
                running[asyncio.ensure_future(ask(replica))] = replica
            patience = min(self._hedge, give_up - time.monotonic()) if awake else None
            left = max(0.0, give_up - time.monotonic())
            done, _ = await asyncio.wait(
                running,
                timeout=left if patience is None else max(0.0, patience),
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                replica = running.pop(task)
                if (error := task.exception()) is None:
                    self._leave(running)
                    return task.result()
                self._failed(replica, error)
            if not done and time.monotonic() >= give_up:
                break
            if not done:
                self._hedged.inc()
        for replica in running.values():
            self._failed(replica, TimeoutError("no answer in time"))
        self._leave(running)
        return None

    def _failed(self, replica: Replica, error: BaseException) -> None:
        if not isinstance(error, PeerError | TimeoutError | OSError):
            log.error("a shard failed", address=replica.address, why=repr(error))
        self._rests_until[id(replica)] = time.monotonic() + REST_SECONDS

    def _leave(self, running: "dict[asyncio.Task[Answer], Replica]") -> None:
        """Let go of calls that nobody waits for any more."""
        for task in running:
            task.cancel()
            self._left.add(task)  # kept until it has ended
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()
