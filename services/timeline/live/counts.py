"""Counts and tags that change: what shows them, and who changed them, is read again.

A popular tweet is favourited thousands of times a second, so what shows counts is forgotten a few
times a second and not with each event; who favourites sees that at once.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

from aviary.events.v1 import payload_pb2

from ..hydrate import Hydrator

SETTLE_SECONDS = 0.3
"""Counts in timelines follow within a second: this, and the ways there and back."""


class Counted(NamedTuple):
    """Tweets whose counts changed, and whose doing it was (0: of no viewer's page)."""

    tweet_ids: tuple[int, ...]
    user_id: int = 0


def _favorited(event: payload_pb2.TweetFavorited | payload_pb2.TweetUnfavorited) -> Counted:
    return Counted((event.tweet_id,), event.user_id)


def _created(event: payload_pb2.TweetCreated) -> Counted:
    tweet = event.tweet
    original = tweet.retweeted_status.tweet_id
    return Counted(
        (original, tweet.in_reply_to_tweet_id, tweet.quote_tweet_id),
        tweet.user_id if original else 0,
    )


def _deleted(event: payload_pb2.TweetDeleted) -> Counted:
    return Counted(
        (event.retweeted_tweet_id, event.in_reply_to_tweet_id, event.tweet.quote_tweet_id),
        event.user_id if event.retweeted_tweet_id else 0,
    )


def _untagged(event: payload_pb2.MediaTagRemoved) -> Counted:
    return Counted((event.tweet_id,))


_COUNTED: Mapping[type[Any], Callable[[Any], Counted]] = {
    payload_pb2.TweetFavorited: _favorited,
    payload_pb2.TweetUnfavorited: _favorited,
    payload_pb2.TweetCreated: _created,
    payload_pb2.TweetDeleted: _deleted,
    payload_pb2.MediaTagRemoved: _untagged,
}


class CountsFeed:
    """Has a hydrator forget what a log says has changed."""

    def __init__(self, hydrator: Hydrator) -> None:
        self._hydrator = hydrator
        self._changed: set[int] = set()

    def take(self, payloads: Iterable[Message]) -> None:
        """Note what these events say."""
        counted = [_COUNTED[type(payload)](payload) for payload in payloads]
        changed = {tweet_id for each in counted for tweet_id in each.tweet_ids} - {0}
        if changed and not self._changed:
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settle)
        self._changed |= changed
        self._hydrator.viewers.shelf.forget({each.user_id for each in counted})

    def _settle(self) -> None:
        changed, self._changed = self._changed, set()
        self._hydrator.forget_tweets(changed)
