"""Content of a peer by id: kept for seconds, and one load at a time for all who ask."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from .batching import Batcher
from .short_cache import ShortCache

FRESH_SECONDS = 3.0
"""How long content is kept by itself: a delete must show within 5 s."""
WATCHED_SECONDS = 600.0
"""How long, while the log that would tell of a change is being followed."""
Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """Values by id from a peer: kept for seconds, and one load at a time for all who ask.

    Who follows the peer's log says what is to be forgotten and, by `watched`, whether the rest may
    be kept for long.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[list[int]], Awaitable[dict[int, Value]]],
        max_items: int,
        seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._cache: ShortCache[int, Value] = ShortCache(seconds, max_items, clock)
        self._batcher: Batcher[list[int], dict[int, Value]] = Batcher(
            name, self._load_batch, max_batch=64, max_waiting=5_000
        )
        self._loading: set[int] = set()

    def forget(self, keys: Iterable[int]) -> None:
        """Load these again when they are next asked for: they have changed."""
        keys = list(keys)
        self._cache.forget(keys)
        self._loading.difference_update(keys)

    def forget_all(self) -> None:
        """Load everything again: changes may have been missed."""
        self._cache.clear()
        self._loading.clear()

    def watched(self, current: bool) -> None:
        """Whether the log that would tell of a change is being followed to its end."""
        self._cache.bound(WATCHED_SECONDS if current else self._seconds)

    def at_hand(self, ids: Sequence[int]) -> list[Value | None]:
        """The values of these ids in their order that need no load."""
        return self._cache.get_many(ids)

    async def get_many(self, ids: Sequence[int]) -> list[Value | None]:
        """The values of these ids in their order, None where there is none."""
        found = self.at_hand(ids)
        if None not in found:
            return found
        missing = [key for key, value in zip(ids, found, strict=True) if value is None]
        loaded = await self._batcher.submit(missing)
        return [
            loaded.get(key) if value is None else value
            for key, value in zip(ids, found, strict=True)
        ]

    async def _load_batch(self, asked: list[list[int]]) -> list[dict[int, Value]]:
        keys = list(dict.fromkeys(key for ids in asked for key in ids))
        # What the batch before this one loaded is there by now.
        known = {
            key: value
            for key, value in zip(keys, self._cache.get_many(keys), strict=True)
            if value is not None
        }
        wanted = [key for key in keys if key not in known]
        if wanted:
            # What is forgotten while this is under way may have been read before it changed.
            self._loading = set(wanted)
            loaded = await self._load(wanted)
            known.update(loaded)
            if len(self._loading) < len(wanted):
                loaded = {key: loaded[key] for key in self._loading & loaded.keys()}
            self._cache.put_many(loaded)
        return [known] * len(asked)
