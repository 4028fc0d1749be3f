"""Pages of hits: ranked or newest first, hydrated, without what the caller may not see, full.

A page chain of `top` keeps its order in the token: the newest matches are ranked once, and behind
them it goes on by time. So counts that move and tweets that come can neither repeat nor skip one.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.search.v1 import search_service_pb2 as pb
from clients.graph import GraphClient
from services.chassis.errors import PageTokenError
from services.chassis.paging import decode_ranked_token, encode_page_token
from services.chassis.shelf import Shelf
from services.chassis.tweet_page import USERS_FIELD, Engaged, tweet_page
from services.chassis.visibility import VISIBLE, Visibility

from .domain_tree import Node
from .finding import Finder
from .found_tweets import FoundTweets, Shown

RANKED = 200
"""The newest matches that `top` ranks; 200 ids of 8 bytes are a token of 2 KB."""
CHUNK = 50
MAX_ROUNDS = 5
END, START = 0, (1 << 63) - 1
MAX_USERS = 50_000
Shape = tuple[object, ...]


class Place(NamedTuple):
    """Where a page begins: ids that were ranked already, then matches below an id (END: none)."""

    ids: tuple[int, ...]
    before: int
    ranks: bool = False
    """Whether the newest matches are to be ranked yet."""

    @classmethod
    def first(cls, *, ranked: bool) -> "Place":
        """The beginning of a list."""
        return cls((), START, ranked)


class Page(NamedTuple):
    """Frames of tweets and users, the viewer's part, and where it goes on."""

    tweets: Sequence[bytes]
    users: Sequence[bytes]
    engaged: Engaged
    following: Place
    unreachable: Sequence[str]
    until: float
    """When the search that it is of is no longer shared (monotonic); 0: at once."""

    def message(self, shape: Shape, corrected_query: str) -> bytes:
        """The serialized SearchResponse."""
        ids, before, _ = self.following
        token = _token(ids, before, shape) if ids or before != END else ""
        rest = pb.SearchResponse(
            corrected_query=corrected_query,
            unreachable=self.unreachable,
            partial=bool(self.unreachable),
        )
        page = tweet_page(self.tweets, self.users, self.engaged, token)
        return page + rest.SerializeToString()


def place_of(page_token: str, shape: Shape) -> Place | None:
    """What a token says; None without one. Raises PAGE_TOKEN_INVALID."""
    position, snapshot = decode_ranked_token(page_token, *shape)
    if not position:
        return None
    if len(position) != 1 or len(snapshot) % 8 or position[0] < END:
        raise PageTokenError
    return Place(struct.unpack(f">{len(snapshot) // 8}q", snapshot), position[0])


def _token(ids: Sequence[int], before: int, shape: Shape) -> str:
    return encode_page_token([before], *shape, snapshot=struct.pack(f">{len(ids)}q", *ids))


class Pages:
    """Makes pages."""

    def __init__(
        self, finder: Finder, tweets: FoundTweets, graph: GraphClient, visibility: Visibility
    ) -> None:
        self._finder = finder
        self._tweets = tweets
        self._graph = graph
        self._visibility = visibility
        self._user_shelf: Shelf[bytes] = Shelf("found users", self._load_users, MAX_USERS)

    async def page(self, tree: Node, place: Place, size: int, viewer: int) -> Page:
        """One page for a viewer (0: nobody known)."""
        ids, before, ranks = place
        shown: list[Shown] = []
        unreachable: dict[str, None] = {}
        until = 0.0
        for _ in range(MAX_ROUNDS):
            if not ids and before != END:
                limit = RANKED if ranks else max(CHUNK, size)
                found = await self._finder.find(
                    tree, limit, before=0 if before == START else before, scored=ranks
                )
                unreachable |= dict.fromkeys(found.unreachable)
                until = min(until or found.until, found.until)
                ids, before, ranks = found.ids, found.before, False
            ids, some = await self._take(ids, size - len(shown), viewer)
            shown += some
            if len(shown) == size or (not ids and before == END):
                break
        authors = list(dict.fromkeys(tweet.author.author_user_id for tweet in shown))
        users = [user for user in await self._user_shelf.get_many(authors) if user]
        engaged = await self._tweets.engaged(viewer, shown)
        frames = [tweet.framed for tweet in shown]
        shared_until = 0.0 if unreachable else until
        return Page(frames, users, engaged, Place(ids, before), list(unreachable), shared_until)

    async def _take(
        self, ids: tuple[int, ...], wanted: int, viewer: int
    ) -> tuple[tuple[int, ...], list[Shown]]:
        """Up to so many visible tweets from the front, and the ids behind them."""
        found = await self._tweets.get_many(ids[:wanted])
        subjects = dict.fromkeys(tweet.author for tweet in found if tweet)
        rules = await self._visibility.rules(viewer, Surface.SURFACE_SEARCH, subjects)
        shown = [tweet for tweet in found if tweet and rules[tweet.author] == VISIBLE]
        return ids[len(found) :], shown

    async def _load_users(self, user_ids: list[int]) -> dict[int, bytes]:
        return await self._graph.batch_get_users_raw(user_ids, field=USERS_FIELD)
