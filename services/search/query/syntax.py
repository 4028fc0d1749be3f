"""The query language by Whoosh's parser, and its tree as ours.

Of Whoosh's plugins only those of the published language are on: no wildcards, no fuzzy terms, no
boosts, so that no query costs more than its terms.
"""

import datetime
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from whoosh import query as whoosh
from whoosh.qparser import (
    FieldsPlugin,
    GroupPlugin,
    OperatorsPlugin,
    PhrasePlugin,
    QueryParser,
    WhitespacePlugin,
)

from ..analysis import Analyzed, Kind, analyze
from ..domain_places import BBOX, NEAR, Box, Near, Place, place_of
from ..domain_tree import (
    FROM,
    HAS,
    HASHTAG,
    MENTION,
    TEXT,
    URL,
    And,
    Node,
    Not,
    Or,
    Phrase,
    Range,
    Term,
    leaves,
)
from ..errors import QueryInvalidError
from .bounds import MAX_PLACES, MAX_TERMS

OPERATORS = (FROM, "since", "until", HAS, NEAR, BBOX)
HAS_VALUES = ("media", "links", "hashtags", "mentions")
FIELDS = {Kind.HASHTAG: HASHTAG, Kind.MENTION: MENTION, Kind.URL: URL}
# The tree of words alone, as most queries are, needs no parser, and a tenth of its time.
_WORDS = re.compile(r"(?!.*\b(?:AND|OR|NOT)\b)[A-Za-z0-9 ]+")
_BEFORE = r"(^|(?<=(\s|[()])))"


def parse(query: str, tokens: Iterable[Analyzed] | None = None) -> Node:
    """The tree of a query whose quotes and parentheses match. Raises QUERY_INVALID.

    `tokens` are what `analyze` makes of it, where they are known.
    """
    if _WORDS.fullmatch(query):
        tree = _joined(And, _nodes(analyze(query) if tokens is None else tokens))
    else:
        tree = by_parser(query)
    if tree is None:
        raise QueryInvalidError("holds nothing to look for")
    found = list(leaves(tree))
    if len(found) > MAX_TERMS:
        raise QueryInvalidError(f"has more than {MAX_TERMS} terms")
    if sum(isinstance(leaf, Near | Box) for leaf in found) > MAX_PLACES:
        raise QueryInvalidError(f"has more than {MAX_PLACES} places")
    if not _asks(tree):
        raise QueryInvalidError("says only what must not be there, in a part of it; add what must")
    return tree


def by_parser(query: str) -> Node | None:
    """The tree of any query, by Whoosh's parser."""
    try:
        parsed = _parser().parse(query)
    except IndexError:  # Whoosh's way to say that an operator has nothing to work on
        raise QueryInvalidError("has an operator with nothing beside it") from None
    return _converted(parsed)


@lru_cache(1)
def _parser() -> QueryParser:
    return QueryParser(
        TEXT,
        schema=None,
        plugins=[
            WhitespacePlugin(),
            PhrasePlugin(),
            GroupPlugin(),
            FieldsPlugin(
                expr=rf"(?<![\w/])(?P<text>{'|'.join(OPERATORS)}):(?=\S)", remove_unknown=False
            ),
            OperatorsPlugin(
                And=rf"{_BEFORE}AND(?=\s)",
                Or=rf"{_BEFORE}OR(?=\s)",
                Not=rf"{_BEFORE}(-(?=\S)|NOT(?=\s))",
                AndNot=None,
                AndMaybe=None,
                Require=None,
            ),
        ],
    )


def _converted(node: whoosh.Query) -> Node | None:
    """Our node for Whoosh's; None for one that looks for nothing."""
    match node:
        case whoosh.And():
            return _joined(And, map(_converted, node.subqueries))
        case whoosh.Or():
            return _joined(Or, map(_converted, node.subqueries))
        case whoosh.Not():
            child = _converted(node.query)
            return None if child is None else Not(child)
        case whoosh.Phrase():
            return _phrase(" ".join(node.words), node.fieldname)
        case whoosh.Term():
            return _leaf(node.text, node.fieldname)
    return None


def _joined(kind: type[And] | type[Or], children: Iterable[Node | None]) -> Node | None:
    flat: list[Node] = []
    for child in children:
        if isinstance(child, kind):
            flat += child.children
        elif child is not None:
            flat.append(child)
    unique = tuple(dict.fromkeys(flat))
    return kind(unique) if len(unique) > 1 else next(iter(unique), None)


def _leaf(text: str, field: str) -> Node | None:
    if field == FROM:
        return Term(FROM, text.removeprefix("@").lower())
    if field == HAS:
        if text.lower() not in HAS_VALUES:
            raise QueryInvalidError(f"asks has:{text[:20]}; known are {', '.join(HAS_VALUES)}")
        return Term(HAS, text.lower())
    if field in ("since", "until"):
        day_ms = _day_ms(text, field)
        return Range(since_ms=day_ms) if field == "since" else Range(until_ms=day_ms)
    if field in (NEAR, BBOX):
        return _place(field, text)
    return _joined(And, _nodes(analyze(text)))


def _place(operator: str, text: str) -> Place:
    try:
        return place_of(operator, text)
    except ValueError as error:
        raise QueryInvalidError(str(error)) from None


def _nodes(tokens: Iterable[Analyzed]) -> Iterator[Node]:
    """A node for each token; what was cut out of one piece, so that it overlaps, is a phrase."""
    runs: list[list[Analyzed]] = []
    for token in tokens:
        if runs and token.start < runs[-1][-1].end:
            runs[-1].append(token)
        else:
            runs.append([token])
    for run in runs:
        yield _token(run[0]) if len(run) == 1 else Phrase(tuple(token.term for token in run))


def _phrase(text: str, field: str) -> Node | None:
    if field != TEXT:
        return _leaf(text, field)
    tokens = analyze(text)
    words = [token.term for token in tokens if token.kind not in (Kind.MENTION, Kind.URL)]
    others = [_token(token) for token in tokens if token.kind in (Kind.MENTION, Kind.URL)]
    phrase: Node | None = None
    if words:
        phrase = Phrase(tuple(words)) if len(words) > 1 else Term(TEXT, words[0])
    return _joined(And, [phrase, *others])


def _token(token: Analyzed) -> Node:
    return Term(FIELDS.get(token.kind, TEXT), token.term)


def _day_ms(text: str, field: str) -> int:
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        problem = f"has {field}:{text[:20]}, which is no day like 2026-01-31"
        raise QueryInvalidError(problem) from None
    return int(day.timestamp() * 1000)


def _asks(node: Node) -> bool:
    """Whether a tree says what must be there: not everything else."""
    match node:
        case And(children):
            return any(map(_asks, children))
        case Or(children):
            return all(map(_asks, children))
        case Not():
            return False
    return True
