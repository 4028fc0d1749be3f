"""A query, step by step: markup out, tokens, typos fixed, the boolean tree."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .. import spelling
from ..analysis import Analyzed, Kind, analyze, without_markup
from ..domain_places import Box, Near, text_of
from ..domain_tree import TEXT, And, Node, Not, Or, Phrase, Range, Term, leaves
from . import bounds
from .syntax import OPERATORS, parse

Frequencies = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]
"""How many tweets hold each of some words; those that none holds may be left out."""
_OPERATED = re.compile(rf"(?<![\w/])(?:{'|'.join(OPERATORS)}):\S+")


class Correction(NamedTuple):
    """A word, what was meant, and how many tweets hold that."""

    original: str
    corrected: str
    frequency: int


class Understood(NamedTuple):
    """A query after every step."""

    plain: str
    tokens: tuple[Analyzed, ...]
    tree: Node
    corrections: tuple[Correction, ...] = ()
    corrected_query: str = ""


@lru_cache(20_000)
def understand(query: str) -> Understood:
    """Understand a query as it was written. Raises QUERY_INVALID."""
    bounds.check(query)
    plain = " ".join(without_markup(query).split())
    bounds.check_pairs(plain)
    tokens = tuple(analyze(plain))
    return Understood(plain, tokens, parse(plain, tokens))


async def corrected(understood: Understood, frequencies: Frequencies) -> Understood:
    """The same with its typos fixed: words that no tweet holds, where a neighbour is held."""
    wanted = sorted(set(_words(understood.tree)))
    if not wanted:
        return understood
    known = await frequencies(wanted)
    wrong = [word for word in wanted if not known.get(word) and spelling.may_be_wrong(word)]
    if not wrong:
        return understood
    near = {word: spelling.neighbours(word) for word in wrong}
    counts = await frequencies(list({other for others in near.values() for other in others}))
    found: dict[str, Correction] = {}
    for word, others in near.items():
        meant = spelling.best(word, {other: counts.get(other, 0) for other in others})
        if meant is not None:
            found[word] = Correction(word, meant, counts[meant])
    if not found:
        return understood
    operated = [match.span() for match in _OPERATED.finditer(understood.plain)]
    places = [
        (token.start, token.end, found[token.term].corrected)
        for token in understood.tokens
        if token.kind is Kind.WORD and token.term in found and _is_plain(token, operated)
    ]
    fixed = spelling.respelled(understood.plain, places)
    tree = _exchanged(understood.tree, {word: c.corrected for word, c in found.items()})
    return Understood(understood.plain, understood.tokens, tree, tuple(found.values()), fixed)


def expression_of(node: Node) -> str:
    """A tree on one line, for people."""
    match node:
        case And(children):
            return "(" + " AND ".join(map(expression_of, children)) + ")"
        case Or(children):
            return "(" + " OR ".join(map(expression_of, children)) + ")"
        case Not(child):
            return f"-{expression_of(child)}"
        case Phrase(values):
            return '"' + " ".join(values) + '"'
        case Range(since_ms, until_ms):
            return f"time:{'' if since_ms is None else since_ms}..{until_ms or ''}"
        case Near() | Box():
            return ":".join(text_of(node))
        case Term(field, value):
            return value if field == TEXT else f"{field}:{value}"


def _words(tree: Node) -> Iterable[str]:
    """The words of a tree, phrases' too."""
    for leaf in leaves(tree):
        if isinstance(leaf, Phrase):
            yield from leaf.values
        elif isinstance(leaf, Term) and leaf.field == TEXT:
            yield leaf.value


def _is_plain(token: Analyzed, operated: Iterable[tuple[int, int]]) -> bool:
    """Whether a token is a word of the text, not a user's name behind `from:` and the like."""
    return not any(start <= token.start < end for start, end in operated)


def _exchanged(node: Node, words: Mapping[str, str]) -> Node:
    match node:
        case And(children):
            return And(tuple(_exchanged(child, words) for child in children))
        case Or(children):
            return Or(tuple(_exchanged(child, words) for child in children))
        case Not(child):
            return Not(_exchanged(child, words))
        case Phrase(values):
            return Phrase(tuple(words.get(value, value) for value in values))
        case Term(field, value) if field == TEXT:
            return Term(TEXT, words.get(value, value))
    return node
