"""Whom the worker delivers to: followers as the Graph service answers them, page by page."""

from collections.abc import Mapping
from typing import Protocol


class FollowerPage(Protocol):
    """Some followers of one user."""

    @property
    def follower_ids(self) -> bytes:
        """Ids of 8 bytes each, big-endian, joined, ascending."""

    @property
    def followers_count(self) -> int:
        """How many followers the user has in all."""

    @property
    def next_after_user_id(self) -> int:
        """Behind which id the next page begins; 0 when there are no more."""


class FollowerSource(Protocol):
    """What the worker needs of the Graph service; `clients.graph.GraphClient` is one."""

    async def follower_pages(
        self, after: Mapping[int, int], *, limit: int = 0, maximum_followers_count: int = 0
    ) -> Mapping[int, FollowerPage]:
        """The followers of each user behind an id, at most `limit` of each (0: the most).

        Of a user with more than the maximum (0: none) only how many they are.
        """
