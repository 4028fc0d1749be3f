"""Applications' quotas: Graph counts them, once for all posts under way with the same key."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from aviary.graph.v1.graph_service_pb2 import UseDevKeyResponse
from clients.errors import PeerError
from services.chassis.batching import Batcher
from services.chassis.call import Call
from services.chassis.errors import QuotaExceededError

from .errors import DevKeyInvalidError

QUOTA = "write"
TIMEOUT = 0.2
"""Seconds that a post waits for Graph at most; without it nothing is counted or refused."""
MAX_BATCH, MAX_WAITING = 256, 2_000
log = structlog.get_logger()


class Allowance(NamedTuple):
    """A quota as it stands for one post; limit 0 where nobody counted."""

    granted: bool
    limit: int = 0
    remaining: int = 0
    reset_seconds: float = 0.0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`ratelimit-*`, as the edge's own quotas have them."""
        if not self.limit:
            return []
        return [
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % math.ceil(self.reset_seconds)),
        ]


UNCOUNTED = Allowance(granted=True)


class DevKeyQuotas:
    """Counts posts by the application that makes them."""

    def __init__(self, use: Callable[[str, str, int], Awaitable[UseDevKeyResponse]]) -> None:
        self._use = use
        self._batcher: Batcher[str, Allowance] = Batcher(
            "dev keys", self._count, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    async def count(self, api_dev_key: str, call: Call) -> None:
        """Count a post; DEV_KEY_INVALID, QUOTA_EXCEEDED."""
        allowance = await self._batcher.submit(api_dev_key)
        if allowance.granted:
            call.initial += allowance.headers()
            return
        call.trailing += allowance.headers()
        raise QuotaExceededError(
            quota=QUOTA, limit=allowance.limit, retry_after=allowance.reset_seconds
        )

    async def _count(self, keys: list[str]) -> Sequence[Allowance | Exception]:
        counts = {key: keys.count(key) for key in dict.fromkeys(keys)}
        answers = await asyncio.gather(*(self._ask(*item) for item in counts.items()))
        found = dict(zip(counts, answers, strict=True))
        given: dict[str, int] = {}
        results: list[Allowance | Exception] = []
        for key in keys:
            answer = found[key]
            if isinstance(answer, UseDevKeyResponse):
                given[key] = given.get(key, 0) + 1
                results.append(_allowance(answer, given[key]))
            else:
                results.append(answer)
        return results

    async def _ask(self, key: str, count: int) -> UseDevKeyResponse | Allowance | Exception:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._use(key, QUOTA, count)
        except PeerError as error:
            if error.reason == "DEV_KEY_INVALID":
                return DevKeyInvalidError()
            log.warning("dev key not counted", why=str(error))
        except TimeoutError:
            log.warning("dev key not counted", why="no answer in time")
        return UNCOUNTED


def _allowance(answer: UseDevKeyResponse, number: int) -> Allowance:
    """What the so-manieth of the posts that asked together got."""
    usage = answer.usage
    behind = max(0, answer.granted_count - number)
    return Allowance(
        number <= answer.granted_count,
        usage.quota.limit,
        usage.quota.limit - usage.used + behind,
        max(0.0, usage.reset_time.ToNanoseconds() / 1e9 - time.time()),
    )
