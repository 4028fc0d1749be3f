"""Step 2: the content of tweets and users, as frames that an answer is joined from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from aviary.graph.v1.user_pb2 import User
from aviary.timeline.v1.timeline_service_pb2 import GetHomeTimelineResponse
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.tweet import original_of
from clients.wire import frame
from services.chassis.shelf import FRESH_SECONDS, Shelf
from services.chassis.tweet_page import TWEET, USERS_FIELD, Engaged
from services.chassis.viewers import Viewers

from .sources import GraphSource, TweetSource

MAX_TWEETS, MAX_USERS = 100_000, 100_000
_IN_REPLY_TO_USER_ID = b"\x40"


class Content(NamedTuple):
    """What a page needs of a tweet; ids that do not apply are 0."""

    frame: bytes
    """The tweet, framed; empty if it is gone."""
    original_user_id: int = 0
    """The original's author in a retweet."""
    parent_id: int = 0
    """The tweet that it answers."""
    parent_user_id: int = 0
    """That tweet's author."""
    original_id: int = 0
    """The original in a retweet."""


GONE = Content(b"")


class Hydrator:
    """Tweets and users for all requests in flight."""

    def __init__(
        self, tweets: TweetSource, graph: GraphSource, seconds: float = FRESH_SECONDS
    ) -> None:
        self._tweet_source = tweets
        self._graph = graph
        self.tweet_shelf: Shelf[Content] = Shelf("tweets", self._load_tweets, MAX_TWEETS, seconds)
        self.user_shelf: Shelf[bytes] = Shelf("users", self._load_users, MAX_USERS, seconds)
        self.viewers = Viewers(tweets, seconds)
        self._retweets: dict[int, list[int]] = {}

    async def tweets(self, tweet_ids: Sequence[int]) -> list[Content | None]:
        """The tweets' content in this order."""
        return await self.tweet_shelf.get_many(tweet_ids)

    async def engaged(self, viewer_id: int, contents: Mapping[int, Content]) -> Engaged:
        """What a viewer did to these tweets, and to the originals of the retweets among them."""
        ids = list(contents)
        originals = [c.original_id for c in contents.values() if c.original_id]
        return await self.viewers.engaged(viewer_id, ids + originals if originals else ids)

    def forget_tweets(self, tweet_ids: Iterable[int]) -> None:
        """These have changed, and so have the retweets that show them."""
        for tweet_id in tweet_ids:
            self.tweet_shelf.forget([tweet_id, *self._retweets.pop(tweet_id, ())])

    async def users(self, user_ids: Iterable[int]) -> list[bytes]:
        """Frames of those of these users who exist."""
        return [found for found in await self.user_shelf.get_many(list(user_ids)) if found]

    async def matching(self, user_ids: Iterable[int], test: Callable[[User], bool]) -> set[int]:
        """Those of these users who exist and pass a test."""
        frames = await self.users(user_ids)
        read = (GetHomeTimelineResponse.FromString(framed).users[0] for framed in frames)
        return {user.user_id for user in read if test(user)}

    async def _load_tweets(self, tweet_ids: list[int]) -> dict[int, Content]:
        raw = await self._tweet_source.batch_get_raw(tweet_ids)
        # Ids are never used again: that one is gone may be remembered as well.
        contents = {key: content_of(raw[key]) if key in raw else GONE for key in tweet_ids}
        for key, content in contents.items():
            if content.original_id:
                self._note_retweet(content.original_id, key)
        return contents

    def _note_retweet(self, original_id: int, retweet_id: int) -> None:
        if len(self._retweets) >= MAX_TWEETS:
            # Without this nobody would know what to forget: rather read everything again.
            self._retweets.clear()
            self.tweet_shelf.forget_all()
        self._retweets.setdefault(original_id, []).append(retweet_id)

    async def _load_users(self, user_ids: list[int]) -> dict[int, bytes]:
        return await self._graph.batch_get_users_raw(user_ids, field=USERS_FIELD)


def is_protected(user: User) -> bool:
    """Whether only followers may see the user's tweets."""
    return user.protected


def tweet_of(content: Content) -> Tweet:
    """The tweet of a content that is there."""
    return GetHomeTimelineResponse.FromString(content.frame).tweets[0]


def content_of(tweet: bytes) -> Content:
    """A serialized tweet as a page shows it."""
    framed, original = frame(TWEET, tweet), original_of(tweet)
    # Only what holds the tag can be a reply: others need no parsing.
    if _IN_REPLY_TO_USER_ID not in tweet:
        return Content(framed, original.user_id, original_id=original.tweet_id)
    read = Tweet.FromString(tweet)
    return Content(
        framed,
        original.user_id,
        read.in_reply_to_tweet_id,
        read.in_reply_to_user_id,
        original.tweet_id,
    )
