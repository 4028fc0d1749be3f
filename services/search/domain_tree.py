"""The boolean tree that a query is converted to, whatever parsed it and whatever searches it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .domain_places import Box, Near

TEXT, HASHTAG, MENTION, URL = "text", "hashtag", "mention", "url"
FROM, HAS = "from", "has"
"""Fields of a leaf. `hashtag` and `mention` are without their signs; all values are normalized."""


@dataclass(frozen=True, slots=True)
class Term:
    """Tweets that hold one term in a field."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tweets whose text holds some terms behind each other."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Tweets made from `since_ms` on and before `until_ms` (Unix milliseconds; None: no bound)."""

    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class And:
    """Tweets that all children match."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Tweets that any child matches."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Tweets that the child does not match."""

    child: "Node"


Leaf: TypeAlias = Term | Phrase | Range | Near | Box
Node: TypeAlias = Leaf | And | Or | Not


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf of a tree, from left to right."""
    match node:
        case And(children) | Or(children):
            for child in children:
                yield from leaves(child)
        case Not(child):
            yield from leaves(child)
        case _:
            yield node
