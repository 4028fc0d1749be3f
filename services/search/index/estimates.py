"""How many tweets a search will find, about, by how common its terms are."""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import tantivy

from ..domain_tree import FROM, TEXT, And, Node, Or, Phrase, Term
from .entries import USER_ID
from .sieve import has_circles

CANDIDATE = 1_000
"""Postings that may be looked at in the time that one candidate of a circle takes."""
PHRASED = 8
"""Of so many tweets with all words of a phrase one has them behind each other, say."""


class Estimate(NamedTuple):
    """Of what a search finds: a bound that holds, and a guess."""

    at_most: int
    about: float


def cost_of(tree: Node, estimate: Estimate) -> int:
    """About how many postings a search looks at, or could in its time."""
    return estimate.at_most * (CANDIDATE if has_circles(tree) else 1)


class Estimator:
    """Estimates for one state of an index."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self._documents = max(1, searcher.num_docs)

    def of(self, tree: Node) -> Estimate:
        """The estimate for a tree: words are taken to fall independently of each other."""
        match tree:
            case And(children):
                return self._both(map(self.of, children))
            case Or(children):
                each = [self.of(child) for child in children]
                at_most = min(self._documents, sum(one.at_most for one in each))
                return Estimate(at_most, min(at_most, sum(one.about for one in each)))
            case Term(field, value) if field == FROM:
                return self._exactly(self._searcher.doc_freq(USER_ID, int(value)))
            case Term(field, value):
                return self._exactly(self._searcher.doc_freq(field, value))
            case Phrase(values):
                at_most, about = self._both(self.of(Term(TEXT, value)) for value in values)
                return Estimate(at_most, about / PHRASED)
        return self._exactly(self._documents)

    def _both(self, parts: Iterable[Estimate]) -> Estimate:
        each = list(parts)
        share = reduce(lambda share, one: share * one.about / self._documents, each, 1.0)
        return Estimate(min(one.at_most for one in each), share * self._documents)

    @staticmethod
    def _exactly(count: int) -> Estimate:
        return Estimate(count, count)
