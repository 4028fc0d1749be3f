"""First pages for who is not logged in: all of them get the same, so it is put together once.

A page is given out for half a second, and never longer than the search that it is of is shared.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from services.chassis.short_cache import ShortCache

PAGE_SECONDS = 0.5
MAX_PAGES = 5_000
"""Some kilobytes each."""


class First(NamedTuple):
    """What makes two first pages the same."""

    query: str
    size: int
    sort: str
    exact: bool


class RecentPages:
    """The serialized pages of the last moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: ShortCache[First, tuple[float, bytes]] = ShortCache(
            2 * PAGE_SECONDS, MAX_PAGES, clock
        )

    def get(self, first: First) -> bytes | None:
        """The page, where it is known and young enough."""
        [known] = self._pages.get_many([first])
        return known[1] if known and self._clock() < known[0] else None

    def put(self, first: First, page: bytes, until: float) -> None:
        """Remember a page that must not be given out from some moment on."""
        now = self._clock()
        if until > now:
            self._pages.put_many({first: (min(until, now + PAGE_SECONDS), page)})
