"""What a found page shows: from memory while the log is followed, and never what is out of date."""

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest

from aviary.events.v1 import payload_pb2
from aviary.search.v1.search_service_pb2 import SearchResponse
from aviary.tweet.v1.tweet_pb2 import Tweet
from aviary.tweet.v1.viewer_pb2 import RecentViewer, Viewer
from clients.tweet import TweetClient
from services.chassis.tweet_changes import SETTLE_SECONDS
from services.search.found_tweets import STEADY_SECONDS, TWEET_SECONDS, FoundTweets

ME, AUTHOR = 7, 8


class Peer:
    """The Tweet service: two tweets, of which one has favourites."""

    def __init__(self) -> None:
        self.counts = {1: 0, 2: 0}
        self.favorited: set[int] = set()
        self.asked: list[list[int]] = []

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        self.asked.append(list(tweet_ids))
        return {
            key: Tweet(
                tweet_id=key, user_id=AUTHOR, favorite_count=self.counts[key]
            ).SerializeToString()
            for key in self.asked[-1]
            if key in self.counts
        }

    async def batch_get_viewers(self, user_ids: Iterable[int]) -> dict[int, RecentViewer]:
        viewer = Viewer(favorited_tweet_ids=self.favorited)
        return {user_id: RecentViewer(viewer=viewer) for user_id in user_ids}

    def favorite(self, tweet_id: int, by: int) -> payload_pb2.TweetFavorited:
        self.counts[tweet_id] += 1
        self.favorited.add(tweet_id)
        return payload_pb2.TweetFavorited(tweet_id=tweet_id, user_id=by, author_user_id=AUTHOR)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """Found tweets at a clock of their own."""

    def __init__(self) -> None:
        self.clock, self.peer = Clock(), Peer()
        self.found = FoundTweets(cast("TweetClient", self.peer), self.clock)

    def follow(self) -> None:
        """The log is followed, for long enough."""
        self.found.watched(True)
        self.clock.now += STEADY_SECONDS
        self.found.watched(True)

    async def counts(self) -> list[int | None]:
        """The favourites of both tweets, as they are shown; None for one that is gone."""
        some = await self.found.get_many([1, 2])
        return [
            SearchResponse.FromString(each.framed).tweets[0].favorite_count if each else None
            for each in some
        ]


async def test_what_is_followed_is_read_once() -> None:
    rig = Rig()
    rig.follow()
    assert await rig.counts() == [0, 0]
    rig.clock.now += 100 * TWEET_SECONDS
    assert await rig.counts() == [0, 0]
    assert rig.peer.asked == [[1, 2]]


async def test_without_the_log_it_is_read_again_soon() -> None:
    rig = Rig()
    rig.found.watched(True)  # not for long enough
    assert await rig.counts() == [0, 0]
    rig.peer.favorite(1, ME)
    rig.clock.now += TWEET_SECONDS + 0.1
    assert await rig.counts() == [1, 0]


@pytest.mark.parametrize("end", ["not current", "lost"])
async def test_when_the_log_is_left_what_was_kept_for_long_is_gone(end: str) -> None:
    rig = Rig()
    rig.follow()
    assert await rig.counts() == [0, 0]
    rig.peer.favorite(1, ME)
    if end == "lost":
        rig.found.lost()
    else:
        rig.found.watched(False)
    assert await rig.counts() == [1, 0]


async def test_counts_follow_the_log() -> None:
    """Both the tweet and what the viewer did to it; the other one is not read again."""
    rig = Rig()
    rig.follow()
    shown = [each for each in await rig.found.get_many([1, 2]) if each]
    assert list((await rig.found.engaged(ME, shown)).favorited) == []
    rig.found.told([rig.peer.favorite(1, ME)])
    assert list((await rig.found.engaged(ME, shown)).favorited) == [1]
    await asyncio.sleep(2 * SETTLE_SECONDS)
    assert await rig.counts() == [1, 0]
    assert rig.peer.asked == [[1, 2], [1]]


async def test_what_is_deleted_is_not_shown_again() -> None:
    rig = Rig()
    rig.follow()
    assert await rig.counts() == [0, 0]
    del rig.peer.counts[2]
    rig.found.told([payload_pb2.TweetDeleted(tweet_id=2, user_id=AUTHOR)])
    assert await rig.counts() == [0, None]
