"""The left ends of lists, read for all requests in flight at once."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from services.chassis.batching import Batcher

from .store import Lists

AWAY_SECONDS = 0.5
"""How long Redis is left alone after it failed, so that reads do not each wait for it."""


class Ask(NamedTuple):
    """How much of whose list."""

    owner_id: int
    length: int


class Heads:
    """Reads windows: one pipeline for whoever asks in one tick."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._away_until = 0.0
        self._batcher: Batcher[Ask, list[bytes]] = Batcher(
            "lists", self._read, max_batch=256, max_waiting=5_000
        )

    async def read(self, owner_id: int, length: int) -> list[bytes]:
        """The leftmost entries; raises redis' errors, at once while Redis is known to be away."""
        if self._away_until and time.monotonic() < self._away_until:
            raise RedisConnectionError("Redis was away a moment ago")
        return await self._batcher.submit(Ask(owner_id, length))

    async def _read(self, asks: list[Ask]) -> Sequence[list[bytes]]:
        try:
            windows = await self._lists.windows(asks)
        except RedisError:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise
        self._away_until = 0.0
        return windows
