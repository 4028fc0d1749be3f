"""What a page shows of tweets is kept for long, as long as Tweet's log tells of what changes.

A popular tweet is favourited thousands of times a second, so what shows counts is forgotten a few
times a second and not with each event; who favourites sees that at once.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from aviary.events.v1 import payload_pb2
from clients.events import Event

SETTLE_SECONDS = 0.3
"""Counts on pages follow within a second: this, and the ways there and back."""
Forget = Callable[[Iterable[int]], None]


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
_TOLD: Mapping[str, Any] = {payload.DESCRIPTOR.name: payload for payload in _COUNTED}
"""What Tweet's log tells of what a page shows, by the kind of event."""


def told_by(events: Iterable[Event]) -> list[tuple[Event, Any]]:
    """Those of these events that tell of what a page shows, with their payloads."""
    return [
        (event, _TOLD[event.kind].FromString(event.payload))
        for event in events
        if event.kind in _TOLD
    ]


def counted_by(payload: Message) -> Counted:
    """What one of these says has changed."""
    return _COUNTED[type(payload)](payload)


class TweetChanges:
    """Has tweets and viewers forgotten when the log says that they have changed."""

    def __init__(self, forget_tweets: Forget, forget_viewers: Forget) -> None:
        self._forget_tweets = forget_tweets
        self._forget_viewers = forget_viewers
        self._changed: set[int] = set()

    def take(self, payloads: Sequence[Message]) -> None:
        """Note what these events say; what was deleted is forgotten at once."""
        deleted = [each.tweet_id for each in payloads if isinstance(each, payload_pb2.TweetDeleted)]
        self._forget_tweets(deleted)
        counted = [counted_by(payload) for payload in payloads]
        changed = {tweet_id for each in counted for tweet_id in each.tweet_ids} - {0}
        if changed and not self._changed:
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settle)
        self._changed |= changed
        self._forget_viewers({each.user_id for each in counted})

    def _settle(self) -> None:
        changed, self._changed = self._changed, set()
        self._forget_tweets(changed)
