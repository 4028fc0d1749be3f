"""Pages of tweets with everybody who appears in them and what the caller did to them.

Every such answer has 1 tweets, 2 users, 3 viewer and 4 token, as timelines have.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1.viewer_pb2 import Viewer
from clients.graph import GraphClient
from clients.wire import FIRST, frame, tag_of
from services.chassis.call import Call
from services.chassis.shelf import Shelf

from .messages import frames
from .reading import TweetReader
from .store.engaged import EngagedStore, Listed
from .visibility import TweetVisibility, subject_of

MAX_ROUNDS = 5
"""A page that so many stretches of a list could not fill is short, and has a token."""
MAX_USERS = 50_000
USERS, VIEWER, NEXT_PAGE_TOKEN = (tag_of(number) for number in (2, 3, 4))
Fetch = Callable[[int, int], Awaitable[Sequence[Listed]]]
"""Reads a list: the items whose places are before the first argument, at most the second."""


class Filled(NamedTuple):
    """Tweets of a page, and the place before which the next one begins (0: none)."""

    tweets: Mapping[int, bytes]
    reached: int


class TweetPages:
    """Fills pages with what the caller may see."""

    def __init__(
        self,
        reader: TweetReader,
        visibility: TweetVisibility,
        engaged: EngagedStore,
        graph: GraphClient,
    ) -> None:
        self._reader = reader
        self._visibility = visibility
        self._engaged = engaged
        self._graph = graph
        self._users: Shelf[bytes] = Shelf("users", self._load_users, MAX_USERS)

    async def fill(
        self, call: Call, fetch: Fetch, before: int, size: int, surface: Surface
    ) -> Filled:
        """The newest tweets of a list that the caller may see."""
        shown: dict[int, bytes] = {}
        for _ in range(MAX_ROUNDS):
            missing = size - len(shown)
            # One more than is shown tells whether the page is the last.
            items = await fetch(before, missing + 1)
            taken = items[:missing]
            shown |= await self.shown(call, [item.item_id for item in taken], surface)
            if len(items) <= missing:
                return Filled(shown, 0)
            before = taken[-1].place
            if len(shown) == size:
                break
        return Filled(shown, before)

    async def shown(
        self, call: Call, tweet_ids: Sequence[int], surface: Surface
    ) -> Mapping[int, bytes]:
        """Those of these tweets that the caller may see."""
        if not tweet_ids:
            return {}
        return await self._visibility.shown(call, await self._reader.get_many(tweet_ids), surface)

    async def present(
        self, call: Call, tweets: Mapping[int, bytes], next_page_token: str, also: int = 0
    ) -> bytes:
        """The fields 1 to 4 of a page; `also` is a user who is in none of the tweets."""
        token = next_page_token.encode()
        return b"".join(
            [
                frames(FIRST, tweets.values()),
                await self.context(call, tweets, also),
                frame(NEXT_PAGE_TOKEN, token) if token else b"",
            ]
        )

    async def context(self, call: Call, tweets: Mapping[int, bytes], also: int = 0) -> bytes:
        """The fields 2 and 3 of a page: the people in these tweets, and the caller's part."""
        subjects = [subject_of(tweet) for tweet in tweets.values()]
        people = dict.fromkeys(user_id for subject in (*subjects, (also,)) for user_id in subject)
        people.pop(0, None)
        users = await self.users(list(people))
        return b"".join(users) + frame(VIEWER, await self._viewer(call.caller.user_id, tweets))

    async def users(self, user_ids: Sequence[int]) -> list[bytes]:
        """Frames of those of these users who exist, as field 2."""
        return [user for user in await self._users.get_many(user_ids) if user] if user_ids else []

    async def _viewer(self, user_id: int, tweets: Mapping[int, bytes]) -> bytes:
        if not user_id or not tweets:
            return b""
        engaged = await self._engaged.of_tweets(user_id, list(tweets))
        return Viewer(
            favorited_tweet_ids=[i for i in tweets if i in engaged.favorited],
            retweeted_tweet_ids=[i for i in tweets if i in engaged.retweeted],
        ).SerializeToString()

    async def _load_users(self, user_ids: list[int]) -> dict[int, bytes]:
        return await self._graph.batch_get_users_raw(user_ids, field=2)
