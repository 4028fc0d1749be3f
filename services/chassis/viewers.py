"""What a caller did to the tweets of a page, known without a call for all but old tweets.

A user's newest favourites and retweets are kept for a while. A tweet is favourited after it was
made, so they tell everything of all tweets that are newer than the oldest of them.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import structlog

from aviary.tweet.v1.viewer_pb2 import RecentViewer, Viewer
from clients.errors import PeerError

from .errors import ServiceError
from .shelf import FRESH_SECONDS, Shelf
from .tweet_page import NOT_ENGAGED, Engaged

MAX_USERS = 50_000
TIMEOUT = 0.5
"""Seconds that a page waits for the Tweet service at most."""
AWAY_SECONDS = 1.0
"""After a failure it is not asked for so long."""
log = structlog.get_logger()


class Known(NamedTuple):
    """What is known of a user: everything about tweets with a greater id than `since_id`."""

    favorited: frozenset[int]
    retweeted: frozenset[int]
    since_id: int

    def is_enough_for(self, tweet_ids: Sequence[int]) -> bool:
        """Whether this tells everything about these tweets."""
        return not (self.favorited or self.retweeted) or self.since_id < min(tweet_ids)

    def of(self, tweet_ids: Sequence[int]) -> Engaged:
        """What is known about these tweets."""
        if not (self.favorited or self.retweeted):
            return NOT_ENGAGED
        return Engaged(self.favorited, self.retweeted).among(tweet_ids)


class ViewerSource(Protocol):
    """The Tweet service; `clients.tweet.TweetClient` is one."""

    async def batch_get_viewers(self, user_ids: Iterable[int]) -> dict[int, RecentViewer]:
        """The newest of what each of these users did."""

    async def get_viewer(self, user_id: int, tweet_ids: Sequence[int]) -> Viewer:
        """What a user did to some tweets."""


class Viewers:
    """Answers for many callers at once; `shelf` is told whose changes it must forget."""

    def __init__(self, tweets: ViewerSource, seconds: float = FRESH_SECONDS) -> None:
        self._tweets = tweets
        self._away_until = 0.0
        self.shelf: Shelf[Known] = Shelf("viewers", self._load, MAX_USERS, seconds)

    async def engaged(self, user_id: int, tweet_ids: Sequence[int]) -> Engaged:
        """What a user (0: nobody known) did to these tweets.

        Without the Tweet service a page is shown as if it were nothing: a page that was at hand
        must not fail for that.
        """
        if not user_id or not tweet_ids or time.monotonic() < self._away_until:
            return NOT_ENGAGED
        # First without a timeout, which costs more than all the rest of what is at hand.
        [known] = self.shelf.at_hand([user_id])
        if known is not None and known.is_enough_for(tweet_ids):
            return known.of(tweet_ids)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._asked(user_id, tweet_ids)
        except (PeerError, ServiceError, TimeoutError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("pages without what their viewers did", why=str(error) or "no answer")
            return NOT_ENGAGED

    async def _asked(self, user_id: int, tweet_ids: Sequence[int]) -> Engaged:
        [known] = await self.shelf.get_many([user_id])
        if known is None:
            return NOT_ENGAGED
        if known.is_enough_for(tweet_ids):
            return known.of(tweet_ids)
        old = [tweet_id for tweet_id in tweet_ids if tweet_id <= known.since_id]
        viewer = await self._tweets.get_viewer(user_id, old)
        favorited = known.favorited.union(viewer.favorited_tweet_ids)
        retweeted = known.retweeted.union(viewer.retweeted_tweet_ids)
        return Engaged(favorited, retweeted).among(tweet_ids)

    async def _load(self, user_ids: list[int]) -> dict[int, Known]:
        found = await self._tweets.batch_get_viewers(user_ids)
        return {
            user_id: Known(
                frozenset(recent.viewer.favorited_tweet_ids),
                frozenset(recent.viewer.retweeted_tweet_ids),
                recent.since_id,
            )
            for user_id, recent in found.items()
        }
