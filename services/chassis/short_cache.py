"""A bounded in-process cache whose items live for seconds."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class ShortCache(Generic[Key, Value]):
    """Two generations: what was put in since the last turn, and in the turn before it.

    Nothing is given out that was put in more than `seconds` ago. The cost of expiry is one look at
    the clock for each `get_many`, whatever the number of items; no item carries a time.
    """

    def __init__(
        self, seconds: float, max_items: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._turn_seconds = seconds / 2
        self._max_young = max_items // 2
        self._clock = clock
        self._turned = clock()
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def bound(self, seconds: float) -> None:
        """From now on give nothing out that was put in longer ago than this."""
        if seconds != 2 * self._turn_seconds:
            self._turn_seconds = seconds / 2
            self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._turned = {}, {}, self._clock()

    def forget(self, keys: Iterable[Key]) -> None:
        """Forget these."""
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def get_many(self, keys: Iterable[Key]) -> list[Value | None]:
        """The values of these keys in their order, None where there is none (or a false one)."""
        self._expire()
        young, old = self._young.get, self._old.get
        return [young(key) or old(key) for key in keys]

    def put_many(self, items: Mapping[Key, Value]) -> None:
        """Remember these."""
        self._expire()
        if len(self._young) + len(items) > self._max_young:
            self._old, self._young, self._turned = self._young, {}, self._clock()
        self._young.update(items)

    def _expire(self) -> None:
        late = self._clock() - self._turned
        if late < self._turn_seconds:
            return
        if late < 2 * self._turn_seconds:
            self._old = self._young
            self._turned += self._turn_seconds  # not now: what is old by then must go in time
        else:
            self._old = {}
            self._turned = self._clock()
        self._young = {}
