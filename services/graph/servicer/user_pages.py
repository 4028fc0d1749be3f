"""Pages of users, put together from their stored bytes."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.paging import MAX_ID, decode_key, encode_page_token, page_size_of

from ..store.user_cache import UserCache

Read: TypeAlias = Callable[[int, int, int], Awaitable[tuple[list[int], list[int]]]]
"""Takes owner, position and limit; answers positions and user ids behind that position."""


class PageRequest(Protocol):
    """What every request for a page has."""

    page_size: int
    page_token: str


class UserPages:
    """Makes replies whose field 1 holds users and whose field 2 is the next page's token."""

    def __init__(self, cache: UserCache) -> None:
        self._cache = cache

    async def page(
        self, name: str, read: Read, owner_id: int, request: PageRequest, *, start: int = MAX_ID
    ) -> bytes:
        """A page of the list `name` of a user; `start` is where its first page begins."""
        size = page_size_of(request.page_size)
        behind = decode_key(request.page_token, name, owner_id, first=start)
        positions, user_ids = await read(owner_id, behind, size + 1)
        users = await self._cache.join(user_ids[:size])
        if len(user_ids) <= size:
            return users
        token = encode_page_token([positions[size - 1]], name, owner_id)
        return users + pb.ListFollowersResponse(next_page_token=token).SerializeToString()
