"""Which words were put into an index when: what holds none of them since has the same answer."""

from collections.abc import Iterable

from ..domain_ranking import scoring_leaves
from ..domain_tree import HASHTAG, TEXT, Node, Phrase
from .entries import Entry

MAX_TERMS = 200_000
"""Beyond that the older half is forgotten, and what was found before that is asked again."""


class Touched:
    """The commit in which each term was last put in; a mark is the number of a commit.

    Tweets that were taken out do not count: whoever shows a tweet asks for it first.
    """

    def __init__(self, max_terms: int = MAX_TERMS) -> None:
        self._max_terms = max_terms
        self._waiting: set[str] = set()
        self._last: dict[str, int] = {}
        self._known_since = 0
        self.mark = 0
        """What is found now holds all that was committed until then."""

    def put(self, entry: Entry) -> None:
        """Note what will be findable with the next commit."""
        self._waiting.update(entry.text.split(" "))

    def committed(self) -> None:
        """Note that it is findable."""
        waiting, self._waiting = self._waiting, set()
        mark = self.mark + 1
        self._last |= dict.fromkeys(waiting, mark)
        if len(self._last) > self._max_terms:
            self._known_since = sorted(self._last.values())[len(self._last) // 2]
            self._last = {t: last for t, last in self._last.items() if last > self._known_since}
        self.mark = mark

    def unchanged(self, tree: Node, mark: int) -> bool:
        """Whether what a tree found at a mark is certainly all that it would find now."""
        if mark < self._known_since:
            return False
        last = self._last
        return any(last.get(term, 0) <= mark for term in _required(tree))


def _required(tree: Node) -> Iterable[str]:
    """The words, a hashtag's too, that every match holds."""
    for leaf, required in scoring_leaves(tree):
        if not required:
            continue
        if isinstance(leaf, Phrase):
            yield from leaf.values
        elif leaf.field in (TEXT, HASHTAG):
            yield leaf.value
