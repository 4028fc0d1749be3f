"""Trees as tantivy's queries."""

import tantivy

from services.chassis.snowflake import id_at

from ..domain_tree import FROM, And, Node, Not, Or, Phrase, Range, Term
from .entries import TWEET_ID, USER_ID

ANY_ID = (1 << 63) - 1


def query_of(node: Node, schema: tantivy.Schema) -> tantivy.Query:
    """The query that matches what a tree matches."""
    match node:
        case And(children):
            return _all_of(children, schema)
        case Or(children):
            some = [(tantivy.Occur.Should, query_of(child, schema)) for child in children]
            return tantivy.Query.boolean_query(some)
        case Not(child):
            return _all_of((Not(child),), schema)
        case Phrase(values):
            return tantivy.Query.phrase_query(schema, "text", list(values))
        case Range(since_ms, until_ms):
            since = 0 if since_ms is None else max(0, id_at(since_ms))
            until = ANY_ID if until_ms is None else max(0, id_at(until_ms))
            return ids_between(since, until, schema)
        case Term(field, value) if field == FROM:
            return tantivy.Query.term_query(schema, USER_ID, int(value))
        case Term(field, value):
            return tantivy.Query.term_query(schema, field, value)


def ids_between(since: int, before: int, schema: tantivy.Schema) -> tantivy.Query:
    """Tweets whose id is at least `since` and below `before`."""
    return tantivy.Query.range_query(
        schema, TWEET_ID, tantivy.FieldType.Integer, since, before, include_upper=False
    )


def both(first: tantivy.Query, second: tantivy.Query) -> tantivy.Query:
    """What both match."""
    must = tantivy.Occur.Must
    return tantivy.Query.boolean_query([(must, first), (must, second)])


def _all_of(children: tuple[Node, ...], schema: tantivy.Schema) -> tantivy.Query:
    must = [child for child in children if not isinstance(child, Not)]
    parts = [(tantivy.Occur.Must, query_of(child, schema)) for child in must]
    if not must:
        parts.append((tantivy.Occur.Must, tantivy.Query.all_query()))
    parts += [
        (tantivy.Occur.MustNot, query_of(child.child, schema))
        for child in children
        if isinstance(child, Not)
    ]
    return tantivy.Query.boolean_query(parts)
