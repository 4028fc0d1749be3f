"""Users that were found, as a caller may see them."""

from collections.abc import Sequence

from aviary.graph.v1.visibility_pb2 import Surface, VisibilityRule
from clients.graph import GraphClient, User
from services.chassis.visibility import Subject, Visibility

HIDING = (
    VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR,
    VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED,
    VisibilityRule.VISIBILITY_RULE_AUTHOR_GONE,
)
"""Whoever is protected or muted can be found: it is the tweets that are hidden."""


class UserPages:
    """Reads users and leaves those out who are hidden from a viewer."""

    def __init__(self, graph: GraphClient, visibility: Visibility) -> None:
        self._graph = graph
        self._visibility = visibility

    async def shown(self, user_ids: Sequence[int], viewer: int) -> list[User]:
        """Those of the users whom the viewer (0: nobody known) may find, in this order."""
        users = await self._graph.get_users(user_ids)
        if not viewer:
            return users
        subjects = [Subject(user.user_id) for user in users]
        rules = await self._visibility.rules(viewer, Surface.SURFACE_SEARCH, subjects)
        return [u for u, s in zip(users, subjects, strict=True) if rules[s] not in HIDING]
