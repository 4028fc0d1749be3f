"""What timelines are made of: the Tweet and Graph services, as far as this one needs them."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Protocol

from . import domain
from .domain import NOTHING_PROVEN, Slice, Span

MAX_AUTHORS = 10_000
"""Authors in one ListRecentByAuthors."""
MAX_ROWS = 1_000
"""Rows of one ListRecentByAuthors."""


class TweetPage(Protocol):
    """A page of one author's tweets."""

    @property
    def tweets(self) -> dict[int, bytes]:
        """Serialized tweets by id, newest first."""

    @property
    def next_page_token(self) -> str:
        """Empty at the end."""


class TweetSource(Protocol):
    """The Tweet service; `clients.tweet.TweetClient` is one."""

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        """Serialized tweets by id; missing ones are left out."""

    async def recent_by_authors(
        self, author_ids: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
    ) -> bytes:
        """The newest entries over all these authors, joined, newest first."""

    async def list_user_tweets(
        self,
        user_id: int,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
        include_replies: bool = True,
    ) -> TweetPage:
        """A page of one author's tweets."""


class FollowerList(Protocol):
    """Followers of one user."""

    @property
    def follower_ids(self) -> bytes:
        """Ids of 8 bytes each, big-endian, joined."""


class FollowerSource(Protocol):
    """What the worker needs of the Graph service; `clients.graph.GraphClient` is one."""

    async def follower_ids(self, user_ids: Iterable[int]) -> Mapping[int, FollowerList]:
        """The followers of each of these users."""


class GraphSource(Protocol):
    """What readers need of the Graph service; `clients.graph.GraphClient` is one."""

    async def batch_get_users_raw(
        self, user_ids: Iterable[int], *, field: int = 1
    ) -> dict[int, bytes]:
        """Serialized users by id, each framed as that field; missing ones are left out."""

    async def following_ids(self, user_id: int) -> bytes:
        """Whom a user follows: ids of 8 bytes each, big-endian, joined."""


class Truth:
    """Home timelines straight from SQL: right at any time, and dear."""

    def __init__(self, tweets: TweetSource, graph: GraphSource) -> None:
        self._tweets = tweets
        self._graph = graph

    async def newest(self, user_id: int, limit: int) -> list[bytes]:
        """The newest packed entries of a home timeline; fewer than `limit` are all there are."""
        return await self._recent(user_id, limit, max_id=0, since_id=0)

    async def read(self, user_id: int, span: Span) -> Slice:
        """The newest part of a span; what the span excludes makes it shorter."""
        limit = min(MAX_ROWS, 2 * span.limit if span.without else span.limit)
        last = span.before - 1 if span.before < NOTHING_PROVEN else 0
        packed = await self._recent(user_id, limit, max_id=last, since_id=span.after)
        found = domain.select(packed, span, 0)
        if len(found) == span.limit:
            return Slice(found, found[-1][0])
        ended = len(packed) < limit
        return Slice(found, span.lowest if ended else domain.tweet_id_of(packed[-1]))

    async def _recent(self, user_id: int, limit: int, *, max_id: int, since_id: int) -> list[bytes]:
        packed_ids = await self._graph.following_ids(user_id)
        authors = [user_id, *unpack_ids(packed_ids)]
        parts = [
            domain.split(await self._tweets.recent_by_authors(chunk, limit, max_id, since_id))
            for chunk in _chunks(authors)
        ]
        return parts[0] if len(parts) == 1 else list(islice(merge(*parts, reverse=True), limit))


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    """Ids that were joined as 8 big-endian bytes each."""
    return struct.unpack(f">{len(packed) // 8}q", packed)


def _chunks(authors: list[int]) -> list[list[int]]:
    return [authors[start : start + MAX_AUTHORS] for start in range(0, len(authors), MAX_AUTHORS)]
