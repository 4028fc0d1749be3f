"""The Graph service as the other services and the command line see it."""

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import NamedTuple, TypeAlias

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import user_pb2

from .accounts import AccountCalls
from .relations import SERVICE
from .wire import varint

User: TypeAlias = user_pb2.User
MAX_USERS = 100
"""Ids that BatchGetUsers takes at a time."""
MAX_QUERIES = 1000
"""Users that BatchGetFollowerIds takes at a time."""


class FollowerPage(NamedTuple):
    """Some followers of one user, and how many there are in all.

    The ids, 8 bytes each, big-endian, joined, ascending, are left out for a user with more
    followers than the caller wanted to push to.
    """

    follower_ids: bytes
    followers_count: int
    next_after_user_id: int
    """Behind which id the next page begins; 0 when there are no more."""


class GraphClient(AccountCalls):
    """Calls to the Graph service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("graph", address, token=token)
        self._batch_get_users = self.unary(f"{SERVICE}/BatchGetUsers", bytes)
        self._follower_ids = self.unary(
            f"{SERVICE}/BatchGetFollowerIds", pb.BatchGetFollowerIdsResponse
        )
        self._following_ids = self.unary(f"{SERVICE}/ListFollowingIds", pb.ListFollowingIdsResponse)
        self._notified = self.unary(
            f"{SERVICE}/BatchGetNotifiedFollowerIds", pb.BatchGetNotifiedFollowerIdsResponse
        )
        self._contacts = self.unary(f"{SERVICE}/BatchGetContacts", pb.BatchGetContactsResponse)
        self._scan = self.server_stream(f"{SERVICE}/ScanUsers", pb.ScanUsersResponse)
        self._import_users = self.bidi_stream(f"{SERVICE}/ImportUsers", pb.ImportUsersResponse)
        self._import_follows = self.bidi_stream(
            f"{SERVICE}/ImportFollows", pb.ImportFollowsResponse
        )

    async def batch_get_users_raw(
        self, user_ids: Iterable[int], *, field: int = 1
    ) -> dict[int, bytes]:
        """Serialized users by id, each framed as an element of the repeated field `field` (1-15).

        Joined, they are that field of a message: `b"".join(raw.values())`. Missing ones are left
        out; any number of ids.
        """
        tag = bytes([field << 3 | 2])
        requests = [pb.BatchGetUsersRequest(user_ids=ids) for ids in _chunks(user_ids, MAX_USERS)]
        replies = await asyncio.gather(
            *(self._batch_get_users(request, metadata=self._metadata) for request in requests)
        )
        return {
            user_id: tag + body for reply in replies for user_id, body in _delimited_users(reply)
        }

    async def get_users(self, user_ids: Iterable[int]) -> list[User]:
        """Users in the order asked, each once; missing ones are left out."""
        raw = await self.batch_get_users_raw(user_ids)
        return list(pb.BatchGetUsersResponse.FromString(b"".join(raw.values())).users)

    async def follower_pages(
        self, after: Mapping[int, int], *, limit: int = 0, maximum_followers_count: int = 0
    ) -> dict[int, FollowerPage]:
        """The followers of each user behind an id (0 at the start), at most `limit` of each.

        A limit of 0 is as many as a reply takes. Of a user with more than the maximum (0: none)
        only how many they are.
        """
        queries = [
            pb.FollowerIdsQuery(user_id=user_id, after_user_id=last)
            for user_id, last in after.items()
        ]
        found: dict[int, FollowerPage] = {}
        for start in range(0, len(queries), MAX_QUERIES):
            request = pb.BatchGetFollowerIdsRequest(
                queries=queries[start : start + MAX_QUERIES],
                limit=limit,
                maximum_followers_count=maximum_followers_count,
            )
            for part in (await self._follower_ids(request)).results:
                found[part.user_id] = FollowerPage(
                    part.follower_ids, part.followers_count, part.next_after_user_id
                )
        return found

    async def following_ids(self, user_id: int, *, minimum_followers_count: int = 0) -> bytes:
        """Whom a user follows: ids of 8 bytes each, big-endian, joined, ascending."""
        pages: list[bytes] = []
        after = 0
        while True:
            reply = await self._following_ids(
                pb.ListFollowingIdsRequest(
                    user_id=user_id,
                    after_user_id=after,
                    minimum_followers_count=minimum_followers_count,
                )
            )
            pages.append(reply.following_ids)
            after = reply.next_after_user_id
            if not after:
                return b"".join(pages)

    async def notified_follower_ids(self, user_ids: Sequence[int]) -> dict[int, bytes]:
        """The followers of each author (at most 1,000) who asked to be told of tweets, packed."""
        reply = await self._notified(pb.BatchGetNotifiedFollowerIdsRequest(user_ids=user_ids))
        return {each.user_id: each.follower_ids for each in reply.results}

    async def contacts(self, user_ids: Sequence[int]) -> dict[int, pb.Contact]:
        """How users (at most 1,000) are reached, by id; those missing are left out."""
        reply = await self._contacts(pb.BatchGetContactsRequest(user_ids=user_ids))
        return {contact.user_id: contact for contact in reply.contacts}

    async def scan(self, after_user_id: int = 0) -> AsyncGenerator[list[User], None]:
        """Every user with a greater id, by ascending id, a batch at a time."""
        request = pb.ScanUsersRequest(after_user_id=after_user_id)
        async with contextlib.aclosing(self._scan(request)) as replies:
            async for reply in replies:
                yield list(reply.users)

    async def import_users(
        self, batches: AsyncIterable[Sequence[str]]
    ) -> AsyncIterator[pb.ImportUsersResponse]:
        """Make users by name, a reply per batch (1-5,000 names); existing ones are answered."""

        async def requests() -> AsyncIterator[pb.ImportUsersRequest]:
            async for names in batches:
                yield pb.ImportUsersRequest(user_names=names)

        async for reply in self._import_users(requests()):
            yield reply

    async def import_follows(
        self, batches: AsyncIterable[bytes]
    ) -> AsyncIterator[pb.ImportFollowsResponse]:
        """Make follows, a reply for each batch: 1-20,000 pairs of follower's and followed's id.

        Each pair is 16 bytes, both ids big-endian (`struct.pack(">qq", user_id, target_user_id)`).
        """

        async def requests() -> AsyncIterator[pb.ImportFollowsRequest]:
            async for pairs in batches:
                yield pb.ImportFollowsRequest(pairs=pairs)

        async for reply in self._import_follows(requests()):
            yield reply


def _chunks(user_ids: Iterable[int], size: int) -> Iterator[list[int]]:
    unique = list(dict.fromkeys(user_ids))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]


def _delimited_users(reply: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a BatchGetUsersResponse, unparsed, into user id and `length + bytes` of each user."""
    position = 0
    while position < len(reply):
        start = position + 1  # behind the tag of field 1, the only field
        length, body = varint(reply, start)
        user_id, _ = varint(reply, body + 1)  # field 1 of a serialized User comes first
        position = body + length
        yield user_id, reply[start:position]
