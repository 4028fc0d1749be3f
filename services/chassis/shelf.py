"""Content of a peer by id: kept for seconds, and one load at a time for all who ask."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from .batching import Batcher
from .short_cache import ShortCache

FRESH_SECONDS = 3.0
"""How long content is kept by itself: a delete must show within 5 s."""
Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """Values by id from a peer: kept for seconds, and one load at a time for all who ask.

    Who follows the peer's log says what is to be forgotten and, by `bound`, for how long the rest
    may be kept.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[list[int]], Awaitable[dict[int, Value]]],
        max_items: int,
        seconds: float = FRESH_SECONDS,
    ) -> None:
        self._load = load
        self._cache: ShortCache[int, Value] = ShortCache(seconds, max_items)
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

    def bound(self, seconds: float) -> None:
        """Keep nothing longer than this."""
        self._cache.bound(seconds)

    def at_hand(self, ids: Sequence[int]) -> list[Value | None]:
        """The values of these ids in their order that need no load."""
        return self._cache.get_many(ids)

    async def get_many(self, ids: Sequence[int]) -> list[Value | None]:
        """The values of these ids in their order, None where there is none."""
        found = self._cache.get_many(ids)
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
