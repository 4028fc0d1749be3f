"""Whom a tweet's photos are tagged with: users that exist, want it, and have no block in between.

Posting goes on without Graph, tagging does not: who cannot be asked must not be tagged.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from aviary.graph.v1.user_pb2 import User
from clients.errors import PeerError
from services.chassis.errors import UnavailableError

from .domain_tags import FIELD, Tagged, is_name
from .errors import MediaTagNeedsPhotoError, TaggedUserNotFoundError
from .media.domain import MediaRow
from .media.domain_formats import Kind
from .mentions import MentionResolver, Named
from .visibility import TweetVisibility

TIMEOUT = 1.0
"""Seconds that a post with tags waits for Graph at most, twice."""


class Users(Protocol):
    """The part of Graph that knows users; `clients.graph.GraphClient` is one."""

    async def lookup(self, user_name: str) -> User:
        """The user of that name; PeerError USER_NOT_FOUND for nobody."""

    async def get_users(self, user_ids: Iterable[int]) -> list[User]:
        """Users by id; missing ones are left out."""


class Tagger:
    """Finds whom drafts tag."""

    def __init__(
        self, users: Users, mentions: MentionResolver, visibility: TweetVisibility
    ) -> None:
        self._users = users
        self._mentions = mentions
        self._visibility = visibility

    async def find(
        self, author_id: int, tags: Sequence[str], media: Sequence[MediaRow]
    ) -> list[Tagged]:
        """Those of the users in this order, each once, who may be tagged by the author.

        Raises MEDIA_TAG_NEEDS_PHOTO, USER_NOT_FOUND and UNAVAILABLE. Who is left out is not told
        apart: nobody learns from it of being blocked.
        """
        if not tags:
            return []
        if not any(medium.kind == Kind.PHOTO for medium in media):
            raise MediaTagNeedsPhotoError(field=FIELD)
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._find(tags)
        except (PeerError, TimeoutError) as error:
            raise UnavailableError(resource="graph") from error
        users = {found[tag].user_id: found[tag] for tag in tags}
        named = [Named(user.user_id, user.mention_policy) for user in users.values()]
        refusing, blocked = await asyncio.gather(
            self._mentions.refusing(named, author_id),
            self._visibility.blocked(author_id, users),
        )
        left_out = refusing | blocked
        return [Tagged(i, user.user_name) for i, user in users.items() if i not in left_out]

    async def _find(self, tags: Sequence[str]) -> dict[str, User]:
        names = [tag for tag in tags if is_name(tag)]
        ids = [int(tag) for tag in tags if not is_name(tag)]
        listed, called = await asyncio.gather(
            self._by_id(ids), asyncio.gather(*(self._by_name(name) for name in names))
        )
        found = {str(user.user_id): user for user in listed}
        found |= {name: user for name, user in zip(names, called, strict=True) if user}
        for tag in tags:
            if tag not in found:
                raise TaggedUserNotFoundError(field=FIELD, user=tag)
        return found

    async def _by_id(self, user_ids: list[int]) -> list[User]:
        return await self._users.get_users(user_ids) if user_ids else []

    async def _by_name(self, name: str) -> User | None:
        try:
            return await self._users.lookup(name.removeprefix("@"))
        except PeerError as error:
            if error.reason == "USER_NOT_FOUND":
                return None
            raise
