"""Tweet and Graph in memory: what the Timeline service asks, and the truth about every timeline."""

import asyncio
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated, UserFollowed, UserUnfollowed
from aviary.graph.v1.user_pb2 import User
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import frame, tag_of
from services.chassis.snowflake import id_at, wall_clock_ms
from services.timeline import domain
from services.timeline.fanout import flags_of


class Page(NamedTuple):
    tweets: dict[int, bytes]
    next_page_token: str


class Followers(NamedTuple):
    follower_ids: bytes
    followers_count: int


class World:
    """Implements TweetSource and GraphSource; counts the calls; `pause` makes SQL slow."""

    def __init__(self) -> None:
        self.tweets: dict[int, Tweet] = {}
        self.users: set[int] = set()
        self.follows: set[tuple[int, int]] = set()
        self.calls: Counter[str] = Counter()
        self.pause = 0.0
        self._made = 0

    def user(self, *user_ids: int) -> None:
        self.users.update(user_ids)

    def follow(self, user_id: int, *targets: int) -> None:
        self.user(user_id, *targets)
        self.follows.update((user_id, target) for target in targets)

    def post(self, author: int, *, at_ms: int = 0, **fields: Any) -> Tweet:
        """A tweet made at that moment, now by default; ids of one moment ascend."""
        self.user(author)
        self._made = (self._made + 1) % (1 << 22)
        tweet_id = id_at(at_ms or wall_clock_ms()) + self._made
        tweet = Tweet(tweet_id=tweet_id, user_id=author, status=f"tweet {tweet_id}", **fields)
        self.tweets[tweet_id] = tweet
        return tweet

    def truth(self, user_id: int, *, since: int = 0, replies: bool = True) -> list[int]:
        """The ids of a user's whole home timeline."""
        authors = {user_id} | {target for user, target in self.follows if user == user_id}
        return sorted(
            (
                tweet.tweet_id
                for tweet in self.tweets.values()
                if tweet.user_id in authors
                and tweet.tweet_id > since
                and (replies or not tweet.in_reply_to_tweet_id)
            ),
            reverse=True,
        )

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        await self._called("batch_get")
        return {i: self.tweets[i].SerializeToString() for i in tweet_ids if i in self.tweets}

    async def recent_by_authors(
        self, author_ids: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
    ) -> bytes:
        await self._called("recent")
        authors = set(author_ids)
        rows = sorted(
            (
                domain.pack(tweet.tweet_id, tweet.user_id, flags_of(tweet))
                for tweet in self.tweets.values()
                if tweet.user_id in authors
                and tweet.tweet_id > since_id
                and (not max_id or tweet.tweet_id <= max_id)
            ),
            reverse=True,
        )
        return b"".join(rows[:limit])

    async def list_user_tweets(
        self,
        user_id: int,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
        include_replies: bool = True,
    ) -> Page:
        await self._called("list")
        assert not page_token
        ids = sorted(
            (
                tweet.tweet_id
                for tweet in self.tweets.values()
                if tweet.user_id == user_id
                and tweet.tweet_id > since_id
                and (not max_id or tweet.tweet_id <= max_id)
                and (include_replies or not tweet.in_reply_to_tweet_id)
            ),
            reverse=True,
        )
        shown = {i: self.tweets[i].SerializeToString() for i in ids[:page_size]}
        return Page(shown, "more" if len(ids) > page_size else "")

    async def batch_get_users_raw(
        self, user_ids: Iterable[int], *, field: int = 1
    ) -> dict[int, bytes]:
        await self._called("users")
        return {
            i: frame(tag_of(field), User(user_id=i, user_name=f"u{i}").SerializeToString())
            for i in user_ids
            if i in self.users
        }

    async def following_ids(self, user_id: int) -> bytes:
        await self._called("following")
        ids = sorted(target for user, target in self.follows if user == user_id)
        return struct.pack(f">{len(ids)}q", *ids)

    async def follower_ids(self, user_ids: Iterable[int]) -> dict[int, Followers]:
        await self._called("followers")
        found = {}
        for target in user_ids:
            ids = sorted(user for user, followed in self.follows if followed == target)
            found[target] = Followers(struct.pack(f">{len(ids)}q", *ids), len(ids))
        return found

    async def _called(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(self.pause)


def created(*tweets: Tweet) -> list[Event]:
    """The events of tweets that became durable."""
    return [
        Event(kind="TweetCreated", payload=TweetCreated(tweet=tweet).SerializeToString())
        for tweet in tweets
    ]


def followed(user_id: int, target: int) -> Event:
    payload = UserFollowed(user_id=user_id, target_user_id=target)
    return Event(kind="UserFollowed", payload=payload.SerializeToString())


def unfollowed(user_id: int, target: int) -> Event:
    payload = UserUnfollowed(user_id=user_id, target_user_id=target)
    return Event(kind="UserUnfollowed", payload=payload.SerializeToString())
