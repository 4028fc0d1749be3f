"""The score of a search hit: text x recency x engagement. docs/search.md tells it to people.

Nothing in it depends on the shard that a tweet is in, so that many shards rank as one index would.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .domain_tree import HASHTAG, MENTION, TEXT, URL, And, Node, Not, Or, Phrase, Term

SATURATION, LENGTH_SHARE = 1.2, 0.75
"""BM25's k1 and b."""
USUAL_LENGTH = 12.0
"""Terms of a usual tweet; fixed, so that it is the same in every shard."""
RECENCY_HOURS = 24.0
WEIGHTED = (TEXT, HASHTAG, MENTION, URL)
"""Fields whose terms are worth more the rarer they are."""


class Leaf(NamedTuple):
    """A leaf that scores, and whether every match has it."""

    node: Term | Phrase
    required: bool

    @property
    def terms(self) -> tuple[str, ...]:
        """Its terms as `field:value`."""
        if isinstance(self.node, Phrase):
            return tuple(f"{TEXT}:{value}" for value in self.node.values)
        return (f"{self.node.field}:{self.node.value}",)


@lru_cache(10_000)
def scoring_leaves(tree: Node) -> tuple[Leaf, ...]:
    """The leaves that a match may score by; what must not be there is not among them."""
    return tuple(dict.fromkeys(_leaves(tree, required=True)))


def _leaves(node: Node, *, required: bool) -> Iterable[Leaf]:
    match node:
        case And(children):
            for child in children:
                yield from _leaves(child, required=required)
        case Or(children):
            for child in children:
                yield from _leaves(child, required=False)
        case Not():
            return
        case Phrase():
            yield Leaf(node, required)
        case Term(field) if field in WEIGHTED:
            yield Leaf(node, required)


def weight_of(document_frequency: int, documents: int) -> float:
    """A term's inverse document frequency, as BM25 has it."""
    rest = max(documents, document_frequency) - document_frequency
    return math.log(1 + (rest + 0.5) / (document_frequency + 0.5))


def text_score(matched_weight: float, length: int) -> float:
    """BM25 of terms that a tweet holds once each: in so short a text nothing else happens."""
    relative = 1 - LENGTH_SHARE + LENGTH_SHARE * length / USUAL_LENGTH
    return matched_weight * (SATURATION + 1) / (1 + SATURATION * relative)


def score(text: float, age_ms: int, reactions: int) -> float:
    """The score of a hit; `text` is 0 where a query has no terms that could score."""
    recency = 1 / (1 + max(0, age_ms) / 3_600_000 / RECENCY_HOURS)
    return (text or 1.0) * recency * (1 + math.log10(1 + reactions))


def scores(
    weights: Sequence[float],
    lengths: Sequence[int],
    ages_ms: Sequence[int],
    reactions: Sequence[int],
) -> list[float]:
    """The scores of many hits, by `text_score` and `score`, in a third of the time."""
    texts: dict[tuple[float, int], float] = {}
    engagements: dict[int, float] = {}
    found: list[float] = []
    hits = zip(zip(weights, lengths, strict=True), ages_ms, reactions, strict=True)
    for worth, age_ms, reacted in hits:
        text = texts.get(worth)
        if text is None:
            text = texts[worth] = text_score(*worth) or 1.0
        engagement = engagements.get(reacted)
        if engagement is None:
            engagement = engagements[reacted] = score(1.0, 0, reacted)
        recency = 1 / (1 + age_ms / 3_600_000 / RECENCY_HOURS) if age_ms > 0 else 1.0
        found.append(text * recency * engagement)
    return found


def weight_of_leaf(leaf: Leaf, weights: Mapping[str, float]) -> float:
    """What a leaf that matches is worth."""
    return sum(weights.get(term, 0.0) for term in leaf.terms)
