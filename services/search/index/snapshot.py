"""One state of a shard's index, and questions to it. Everything here blocks."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import tantivy

from services.chassis.snowflake import unix_ms_of

from ..domain_ranking import Leaf, scores, scoring_leaves, weight_of_leaf
from ..domain_shards import Answer
from ..domain_tree import And, Node
from .entries import LENGTH, REACTIONS
from .estimates import Estimate, Estimator
from .newest import Found, Seeker, Spread
from .queries import Queries, both, ids_among
from .sieve import Sieve, has_circles

MAX_OPTIONAL = 8
"""Alternatives of an `OR` that are told apart in a score; more of them score alike."""


class Question(NamedTuple):
    """The newest `limit` matches with an id below `before` (0: any), scored by the weights."""

    tree: Node
    limit: int
    before: int = 0
    weights: Mapping[str, float] | None = None
    now_ms: int = 0


class Snapshot:
    """What was findable at one moment."""

    def __init__(
        self, searcher: tantivy.Searcher, schema: tantivy.Schema, newest_id: int, spread: Spread
    ) -> None:
        self._searcher = searcher
        self._schema = schema
        self._estimator = Estimator(searcher)
        self._seeker = Seeker(searcher, schema, newest_id, spread)

    def estimate(self, tree: Node) -> Estimate:
        """How many tweets match a tree."""
        return self._estimator.of(tree)

    def search(self, question: Question, estimate: Estimate) -> Answer:
        """The answer to a question; the estimate is that of its tree."""
        tree, limit, before, weights, _ = question
        searched_to = 0
        if has_circles(tree):
            sieve = Sieve(self._searcher, self._schema, tree)
            found, searched_to = sieve.newest(limit, before)
            query = ids_among(found, self._schema)
        else:
            query = Queries(self._schema).of(tree)
            found = self._seeker.newest(query, estimate, limit, before)
        ids = list(found)
        if not weights or not ids:
            return Answer(ids, (), searched_to)
        return Answer(ids, self._scores(query, question, found), searched_to)

    def _scores(self, query: tantivy.Query, question: Question, found: Found) -> list[float]:
        addresses = list(found.values())
        return scores(
            self._matched_weights(query, question, found),
            self._column(LENGTH, addresses),
            [question.now_ms - made_ms for made_ms in map(unix_ms_of, found)],
            self._column(REACTIONS, addresses),
        )

    def _column(self, name: str, addresses: list[tantivy.DocAddress]) -> list[int]:
        """What tweets have in a column of whole numbers that all of them have."""
        return cast("list[int]", self._searcher.fast_field_values(name, addresses))

    def _matched_weights(
        self, query: tantivy.Query, question: Question, found: Found
    ) -> list[float]:
        """What the terms that each tweet holds weigh; of alternatives it may hold any."""
        assert question.weights is not None
        leaves = scoring_leaves(question.tree)
        always = sum(weight_of_leaf(leaf, question.weights) for leaf in leaves if leaf.required)
        optional = [leaf for leaf in leaves if not leaf.required][:MAX_OPTIONAL]
        if not optional:
            return [always] * len(found)
        weights = dict.fromkeys(found, always)
        for leaf in optional:
            self._add_weight(query, question, leaf, weights)
        return list(weights.values())

    def _add_weight(
        self, query: tantivy.Query, question: Question, leaf: Leaf, weights: dict[int, float]
    ) -> None:
        assert question.weights is not None
        worth = weight_of_leaf(leaf, question.weights)
        held = both(query, Queries(self._schema).of(leaf.node))
        estimate = self._estimator.of(And((question.tree, leaf.node)))
        # The newest that match and hold this one: all of `weights` that hold it are among them.
        for tweet_id in self._seeker.newest(held, estimate, question.limit, question.before):
            if tweet_id in weights:
                weights[tweet_id] += worth
