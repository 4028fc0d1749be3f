"""What timelines are made of: the Tweet and Graph services, as far as this one needs them."""

import struct
from collections.abc import Collection, Iterable, Sequence
from heapq import merge
from itertools import islice
from typing import Protocol

from services.chassis.viewers import ViewerSource

from . import domain
from .domain import NOTHING_PROVEN, Slice, Span

MAX_AUTHORS = 10_000
"""Authors in one ListRecentByAuthors."""
MAX_ROWS = 1_000
"""Rows of one ListRecentByAuthors."""


class RowSource(Protocol):
    """The part of the Tweet service that rows come from."""

    async def recent_by_authors(
        self, author_ids: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
    ) -> bytes:
        """The newest entries over all these authors, joined, newest first."""


class TweetSource(RowSource, ViewerSource, Protocol):
    """The Tweet service; `clients.tweet.TweetClient` is one."""

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        """Serialized tweets by id; missing ones are left out."""


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
        following = unpack_ids(await self._graph.following_ids(user_id))
        return await newest_rows(self._tweets, [user_id, *following], limit)

    async def newest_of_author(self, author_id: int, limit: int) -> list[bytes]:
        """The newest packed entries of an author's ring; fewer than `limit` are all there are."""
        return await newest_rows(self._tweets, [author_id], limit)

    async def read(self, authors: Collection[int], span: Span) -> Slice:
        """The newest part of a span over these authors; what the span excludes makes it shorter."""
        limit = 2 * span.limit if span.without else span.limit
        last = span.before - 1 if span.before < NOTHING_PROVEN else 0
        packed = await newest_rows(self._tweets, sorted(authors), limit, last, span.after)
        found = domain.select(packed, span, 0)
        if len(found) == span.limit:
            return Slice(found, found[-1][0])
        ended = len(packed) < limit
        return Slice(found, span.lowest if ended else domain.tweet_id_of(packed[-1]))


async def newest_rows(
    tweets: RowSource, authors: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
) -> list[bytes]:
    """The newest packed entries of any number of authors, newest first; fewer are all there are."""
    parts = [
        await _newest_rows(tweets, authors[start : start + MAX_AUTHORS], limit, max_id, since_id)
        for start in range(0, len(authors), MAX_AUTHORS)
    ]
    return parts[0] if len(parts) == 1 else list(islice(merge(*parts, reverse=True), limit))


async def _newest_rows(
    tweets: RowSource, authors: Sequence[int], limit: int, max_id: int, since_id: int
) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < limit:
        wanted = min(limit - len(found), MAX_ROWS)
        page = domain.split(await tweets.recent_by_authors(authors, wanted, max_id, since_id))
        found += page
        if len(page) < wanted:
            break
        max_id = domain.tweet_id_of(page[-1]) - 1
    return found


def pack_ids(ids: Sequence[int]) -> bytes:
    """Ids joined as 8 big-endian bytes each."""
    return struct.pack(f">{len(ids)}q", *ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    """Ids that were joined as 8 big-endian bytes each."""
    return struct.unpack(f">{len(packed) // 8}q", packed)
