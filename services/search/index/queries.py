"""Trees as tantivy's queries."""

from collections.abc import Callable, Iterable

import tantivy

from services.chassis.snowflake import id_at

from ..domain_places import Box, Near
from ..domain_tree import FROM, And, Node, Not, Or, Phrase, Range, Term
from .entries import LATITUDE, LONGITUDE, TWEET_ID, USER_ID

ANY_ID = (1 << 63) - 1
Circle = Callable[[Near, bool], tantivy.Query]
"""The query for what is near, given whether it is wanted (else: that it must not be there)."""


class Queries:
    """Makes queries of trees. There is none for a circle: `circle` says what stands for it."""

    def __init__(self, schema: tantivy.Schema, circle: Circle | None = None) -> None:
        self._schema = schema
        self._circle = circle or self._loose

    def of(self, node: Node, *, wanted: bool = True) -> tantivy.Query:
        """The query that matches what a tree matches, or more, as `circle` does."""
        match node:
            case And(children):
                return self._all_of(children, wanted=wanted)
            case Or(children):
                should = tantivy.Occur.Should
                some = [(should, self.of(child, wanted=wanted)) for child in children]
                return tantivy.Query.boolean_query(some)
            case Not():
                return self._all_of((node,), wanted=wanted)
            case Phrase(values):
                return tantivy.Query.phrase_query(self._schema, "text", list(values))
            case Range(since_ms, until_ms):
                since = 0 if since_ms is None else max(0, id_at(since_ms))
                until = ANY_ID if until_ms is None else max(0, id_at(until_ms))
                return ids_between(since, until, self._schema)
            case Near():
                return self._circle(node, wanted)
            case Box():
                return self._box(node)
            case Term(field, value) if field == FROM:
                return tantivy.Query.term_query(self._schema, USER_ID, int(value))
            case Term(field, value):
                return tantivy.Query.term_query(self._schema, field, value)

    def _all_of(self, children: Iterable[Node], *, wanted: bool) -> tantivy.Query:
        parts: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for child in children:
            if isinstance(child, Not):
                parts.append((tantivy.Occur.MustNot, self.of(child.child, wanted=not wanted)))
            else:
                parts.append((tantivy.Occur.Must, self.of(child, wanted=wanted)))
        if all(occur == tantivy.Occur.MustNot for occur, _ in parts):
            parts.append((tantivy.Occur.Must, tantivy.Query.all_query()))
        return tantivy.Query.boolean_query(parts)

    def _loose(self, near: Near, wanted: bool) -> tantivy.Query:
        """More than what matches: the box around a circle; where it must not be, no circle."""
        return self._box(near.box()) if wanted else tantivy.Query.empty_query()

    def _box(self, box: Box) -> tantivy.Query:
        across = _any_of([self._degrees(LONGITUDE, west, east) for west, east in box.longitudes])
        inside = both(self._degrees(LATITUDE, box.south, box.north), across)
        return _any_of([inside, *(self._degrees(LATITUDE, pole, pole) for pole in box.poles)])

    def _degrees(self, field: str, low: float, high: float) -> tantivy.Query:
        return tantivy.Query.range_query(
            self._schema, field, tantivy.FieldType.Float, float(low), float(high)
        )


def ids_between(since: int, before: int, schema: tantivy.Schema) -> tantivy.Query:
    """Tweets whose id is at least `since` and below `before`."""
    return tantivy.Query.range_query(
        schema, TWEET_ID, tantivy.FieldType.Integer, since, before, include_upper=False
    )


def ids_among(tweet_ids: Iterable[int], schema: tantivy.Schema) -> tantivy.Query:
    """Some tweets."""
    some = list(tweet_ids)
    if not some:
        return tantivy.Query.empty_query()
    return tantivy.Query.term_set_query(schema, TWEET_ID, some)


def both(first: tantivy.Query, second: tantivy.Query) -> tantivy.Query:
    """What both match."""
    must = tantivy.Occur.Must
    return tantivy.Query.boolean_query([(must, first), (must, second)])


def newest(
    searcher: tantivy.Searcher, query: tantivy.Query, limit: int
) -> dict[int, tantivy.DocAddress]:
    """The newest tweets that match, newest first, and where they are."""
    found = searcher.search(query, limit=limit, count=False, order_by_field=TWEET_ID).hits
    return {int(tweet_id): address for tweet_id, address in found}


def _any_of(queries: list[tantivy.Query]) -> tantivy.Query:
    if len(queries) == 1:
        return queries[0]
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])
