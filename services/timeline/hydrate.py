"""Step 2: the content of tweets and users, as frames that an answer is joined from."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import frame
from services.chassis.batching import Batcher

from .cache import ShortCache
from .present import TWEET, USERS_FIELD
from .sources import GraphSource, TweetSource

FRESH_SECONDS = 3.0
"""How long content is kept: a delete must show within 5 s."""
MAX_TWEETS, MAX_USERS = 100_000, 100_000
_RETWEETED_STATUS = b"\x5a"


class Content(NamedTuple):
    """A tweet's frame (empty if the tweet is gone), and the original's author in a retweet or 0."""

    frame: bytes
    original_user_id: int


GONE = Content(b"", 0)
Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """Values by id from a peer: kept for seconds, and one load at a time for all who ask."""

    def __init__(
        self,
        name: str,
        load: Callable[[list[int]], Awaitable[dict[int, Value]]],
        max_items: int,
        seconds: float = FRESH_SECONDS,
    ) -> None:
        self._load = load
        self._cache: ShortCache[int, Value] = ShortCache(seconds, max_items)
        self._batcher: Batcher[list[int], dict[int, Value]] = Batcher(
            name, self._load_batch, max_batch=64, max_waiting=5_000
        )

    async def get_many(self, ids: Sequence[int]) -> list[Value | None]:
        """The values of these ids in their order, None where there is none."""
        found = self._cache.get_many(ids)
        if None not in found:
            return found
        missing = [key for key, value in zip(ids, found, strict=True) if value is None]
        loaded = await self._batcher.submit(missing)
        return [
            loaded.get(key) if value is None else value
            for key, value in zip(ids, found, strict=True)
        ]

    async def _load_batch(self, asked: list[list[int]]) -> list[dict[int, Value]]:
        keys = list(dict.fromkeys(key for ids in asked for key in ids))
        # What the batch before this one loaded is there by now.
        known = {
            key: value
            for key, value in zip(keys, self._cache.get_many(keys), strict=True)
            if value is not None
        }
        wanted = [key for key in keys if key not in known]
        if wanted:
            loaded = await self._load(wanted)
            self._cache.put_many(loaded)
            known.update(loaded)
        return [known] * len(asked)


class Hydrator:
    """Tweets and users for all requests in flight."""

    def __init__(
        self, tweets: TweetSource, graph: GraphSource, seconds: float = FRESH_SECONDS
    ) -> None:
        self._tweet_source = tweets
        self._graph = graph
        self._tweets: Shelf[Content] = Shelf("tweets", self._load_tweets, MAX_TWEETS, seconds)
        self._users: Shelf[bytes] = Shelf("users", self._load_users, MAX_USERS, seconds)

    async def tweets(self, tweet_ids: Sequence[int]) -> list[Content | None]:
        """The tweets' content in this order."""
        return await self._tweets.get_many(tweet_ids)

    async def users(self, user_ids: Iterable[int]) -> list[bytes]:
        """Frames of those of these users who exist."""
        return [found for found in await self._users.get_many(list(user_ids)) if found]

    async def _load_tweets(self, tweet_ids: list[int]) -> dict[int, Content]:
        raw = await self._tweet_source.batch_get_raw(tweet_ids)
        # Ids are never used again: that one is gone may be remembered as well.
        return {key: content_of(raw[key]) if key in raw else GONE for key in tweet_ids}

    async def _load_users(self, user_ids: list[int]) -> dict[int, bytes]:
        return await self._graph.batch_get_users_raw(user_ids, field=USERS_FIELD)


def content_of(tweet: bytes) -> Content:
    """A serialized tweet as a page shows it."""
    # Only what holds the tag of `retweeted_status` can be a retweet: others need no parsing.
    original = Tweet.FromString(tweet).retweeted_status.user_id if _RETWEETED_STATUS in tweet else 0
    return Content(frame(TWEET, tweet), original)
