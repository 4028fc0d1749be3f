"""Which terms are worth counting, in bounded memory whatever the number of distinct ones.

A frequent-items sketch (Misra-Gries, from datasketches) tells how often a term came about, never
too often. While there is room a hashtag is counted from its first use and a phrase from its third;
the fuller the store, the more often a term must have come before it gets a place.
"""

from collections.abc import Iterable

from datasketches import frequent_strings_sketch

from ..domain_trends import WINDOW_MS, Kind
from .store import MAX_TERMS

LOG2_ITEMS = 16
"""Each sketch follows up to 2 ** 16 terms, some 5 MB."""
FIRST = {Kind.HASHTAG: 1, Kind.TOPIC: 3, Kind.SEARCH: 1}
"""From which use on a term is counted, with all room there is: most phrases are said only once."""
HALF_WINDOW_MS = WINDOW_MS // 2


class Gate:
    """Admission of one kind's terms, as one process sees them."""

    def __init__(self, kind: Kind, max_terms: int = MAX_TERMS) -> None:
        self._kind = kind
        self._max_terms = max_terms
        self._current = frequent_strings_sketch(LOG2_ITEMS)
        self._previous = frequent_strings_sketch(LOG2_ITEMS)
        self._turn = 0
        self.counted_terms = 0
        """How many terms have a place now; whoever knows sets it."""

    def admitted(self, keys: Iterable[str], now_ms: int) -> list[str]:
        """Note one use of each of these terms; those that are to be counted."""
        self._take_turn(now_ms // HALF_WINDOW_MS)
        needed = max(FIRST[self._kind], self._needed())
        current, before = self._current, self._previous
        found = []
        for key in keys:
            current.update(key, 1)
            if (
                needed <= 1
                or current.get_lower_bound(key) >= needed
                or current.get_lower_bound(key) + before.get_lower_bound(key) >= needed
            ):
                found.append(key)
        return found

    def _take_turn(self, turn: int) -> None:
        if turn == self._turn:
            return
        fresh = frequent_strings_sketch(LOG2_ITEMS)
        follows = turn == self._turn + 1
        self._previous = self._current if follows else frequent_strings_sketch(LOG2_ITEMS)
        self._current, self._turn = fresh, turn

    def _needed(self) -> int:
        fullness = self.counted_terms / self._max_terms
        if fullness < 0.5:
            return 1
        return 4 if fullness < 0.75 else 16 if fullness < 1.0 else 64
