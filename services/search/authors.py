"""Names behind `from:` become ids, which is what the index knows authors by."""

import time
from collections.abc import Awaitable, Callable

from clients.errors import PeerError
from clients.graph import User

from .domain_tree import FROM, And, Node, Not, Or, Term

KNOWN_SECONDS = 30.0
MAX_KNOWN = 50_000
NOBODY = 0
"""No tweet is by this user."""


class Authors:
    """Resolves by `lookup`, which raises PeerError USER_NOT_FOUND for nobody."""

    def __init__(self, lookup: Callable[[str], Awaitable[User]]) -> None:
        self._lookup = lookup
        self._known: dict[str, tuple[float, int]] = {}

    async def resolved(self, tree: Node) -> Node:
        """The tree with ids in place of names. Raises PeerError where Graph is away."""
        return await self._resolved(tree) if _names(tree) else tree

    async def _resolved(self, tree: Node) -> Node:
        match tree:
            case And(children):
                return And(tuple([await self._resolved(child) for child in children]))
            case Or(children):
                return Or(tuple([await self._resolved(child) for child in children]))
            case Not(child):
                return Not(await self._resolved(child))
            case Term(field, name) if field == FROM:
                return Term(FROM, str(await self._user_id(name)))
        return tree

    async def _user_id(self, name: str) -> int:
        until, user_id = self._known.get(name, (0.0, NOBODY))
        if time.monotonic() < until:
            return user_id
        try:
            user_id = (await self._lookup(name)).user_id
        except PeerError as error:
            if error.reason not in ("USER_NOT_FOUND", "INVALID_ARGUMENT"):
                raise
            user_id = NOBODY
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[name] = (time.monotonic() + KNOWN_SECONDS, user_id)
        return user_id


def _names(tree: Node) -> bool:
    """Whether a tree names an author."""
    match tree:
        case And(children) | Or(children):
            return any(map(_names, children))
        case Not(child):
            return _names(child)
        case Term(field):
            return field == FROM
    return False
