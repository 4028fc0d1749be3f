"""Pages of tweets with everybody who appears in them and what the caller did to them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from aviary.graph.v1.visibility_pb2 import Surface
from clients.graph import GraphClient
from clients.wire import frame
from services.chassis.call import Call
from services.chassis.shelf import Shelf
from services.chassis.tweet_page import NOT_ENGAGED, TWEET, USERS_FIELD, Engaged, tweet_page

from .reading import TweetReader
from .store.engaged import EngagedStore, Listed
from .visibility import TweetVisibility, subject_of

MAX_ROUNDS = 5
"""A page that so many stretches of a list could not fill is short, and has a token."""
MAX_USERS = 50_000
NOTHING: Mapping[int, bytes] = {}
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
        self,
        call: Call,
        tweets: Mapping[int, bytes],
        next_page_token: str,
        *,
        around: Mapping[int, bytes] = NOTHING,
        also: int = 0,
    ) -> bytes:
        """The fields 1 to 4 of a page.

        `around` are tweets that another field shows, `also` a user who is in none of the tweets.
        """
        everything = {**around, **tweets}
        subjects = [subject_of(tweet) for tweet in everything.values()]
        people = dict.fromkeys(user_id for subject in (*subjects, (also,)) for user_id in subject)
        people.pop(0, None)
        users = await self.users(list(people))
        engaged = await self._engaged_by(call.caller.user_id, everything)
        frames = [frame(TWEET, tweet) for tweet in tweets.values()]
        return tweet_page(frames, users, engaged, next_page_token)

    async def users(self, user_ids: Sequence[int]) -> list[bytes]:
        """Frames (`USERS_FIELD`) of those of these users who exist."""
        return [user for user in await self._users.get_many(user_ids) if user] if user_ids else []

    async def _engaged_by(self, user_id: int, tweets: Mapping[int, bytes]) -> Engaged:
        if not user_id or not tweets:
            return NOT_ENGAGED
        return (await self._engaged.of_tweets(user_id, list(tweets))).among(tweets)

    async def _load_users(self, user_ids: list[int]) -> dict[int, bytes]:
        return await self._graph.batch_get_users_raw(user_ids, field=USERS_FIELD)
