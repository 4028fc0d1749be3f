"""The tweets of found pages, and what their viewers did: from memory, while the log is followed.

The process follows Tweet's log anyway, for its index; so what a page shows is read again when the
log says that it has changed, and not every few seconds.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from google.protobuf.message import Message

from clients.tweet import TweetClient, author_id_of
from clients.wire import frame
from services.chassis.shelf import Shelf
from services.chassis.tweet_changes import TweetChanges
from services.chassis.tweet_page import TWEET, Engaged
from services.chassis.viewers import Viewers
from services.chassis.visibility import Subject

TWEET_SECONDS, VIEWER_SECONDS = 2.5, 1.0
"""How long they are kept while the log is not followed: no count on a page is older than 3 s."""
STEADY_SECONDS = 2.0
"""The log has to be followed for so long first: a change of mind empties what is kept."""
MAX_TWEETS = 100_000
"""Some 600 bytes each."""


class Shown(NamedTuple):
    """A tweet that was found: its id, whom the rules ask about, and its frame."""

    tweet_id: int
    author: Subject
    framed: bytes


class FoundTweets:
    """Tweets by id, and what a viewer did to them."""

    def __init__(self, tweets: TweetClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._tweets = tweets
        self._clock = clock
        self._steady_at = clock() + STEADY_SECONDS
        self._shelf: Shelf[Shown] = Shelf(
            "found tweets", self._load, MAX_TWEETS, TWEET_SECONDS, clock
        )
        self._viewers = Viewers(tweets, VIEWER_SECONDS)
        self._changes = TweetChanges(self._shelf.forget, self._viewers.shelf.forget)

    async def get_many(self, tweet_ids: Sequence[int]) -> list[Shown | None]:
        """The tweets in this order, None where there is none any more."""
        return await self._shelf.get_many(tweet_ids)

    async def engaged(self, viewer: int, shown: Sequence[Shown]) -> Engaged:
        """What a viewer (0: nobody known) did to these."""
        return await self._viewers.engaged(viewer, [tweet.tweet_id for tweet in shown])

    def told(self, payloads: Sequence[Message]) -> None:
        """The log has told of these."""
        self._changes.take(payloads)

    def watched(self, current: bool) -> None:
        """Whether the log is being followed to its end; to be said several times a second."""
        if not current:
            self._steady_at = self._clock() + STEADY_SECONDS
        steady = self._clock() >= self._steady_at
        self._shelf.watched(steady)
        self._viewers.shelf.watched(steady)

    def lost(self) -> None:
        """The log is not followed any more: changes may be missed."""
        self.watched(False)
        self._shelf.forget_all()
        self._viewers.shelf.forget_all()

    async def _load(self, tweet_ids: list[int]) -> dict[int, Shown]:
        raw = await self._tweets.batch_get_raw(tweet_ids)
        return {
            tweet_id: Shown(tweet_id, Subject(author_id_of(tweet)), frame(TWEET, tweet))
            for tweet_id, tweet in raw.items()
        }
