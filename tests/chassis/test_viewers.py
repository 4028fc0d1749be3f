"""What viewers did: from the newest that are kept, older asked for, and never waited for long."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog.testing

from aviary.tweet.v1.viewer_pb2 import RecentViewer, Viewer
from clients.errors import PeerError
from services.chassis.tweet_page import NOT_ENGAGED, Engaged
from services.chassis.viewers import Viewers


class Tweets:
    """A Tweet service where user 1 likes every even tweet up to 100 and retweeted 97."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []
        self.asked: list[list[int]] = []
        self.away = False
        self.begun = 0
        self.hung = asyncio.Event()
        self.hung.set()

    async def batch_get_viewers(self, user_ids: Iterable[int]) -> dict[int, RecentViewer]:
        self.begun += 1
        await self.hung.wait()
        if self.away:
            raise PeerError("tweet", None, "away", None)  # type: ignore[arg-type]
        self.loads.append(list(user_ids))
        liked = Viewer(favorited_tweet_ids=range(52, 101, 2), retweeted_tweet_ids=[97])
        everything = {1: RecentViewer(user_id=1, viewer=liked, since_id=50)}
        return {i: everything.get(i, RecentViewer(user_id=i)) for i in user_ids}

    async def get_viewer(self, _user_id: int, tweet_ids: Sequence[int]) -> Viewer:
        self.asked.append(list(tweet_ids))
        return Viewer(favorited_tweet_ids=[i for i in tweet_ids if i % 2 == 0])


async def test_new_tweets_cost_no_call() -> None:
    tweets = Tweets()
    viewers = Viewers(tweets)
    for _ in range(3):
        assert await viewers.engaged(1, [100, 99, 97, 52]) == Engaged([100, 52], [97])
    assert await viewers.engaged(2, [100, 99]) == NOT_ENGAGED
    assert await viewers.engaged(0, [100, 99]) == NOT_ENGAGED
    assert tweets.loads == [[1], [2]]
    assert tweets.asked == []


async def test_old_tweets_are_asked_about() -> None:
    tweets = Tweets()
    viewers = Viewers(tweets)
    assert await viewers.engaged(1, [100, 51, 50, 8, 7]) == Engaged([100, 50, 8], [])
    assert tweets.asked == [[50, 8, 7]]


async def test_whose_changes_are_told_is_loaded_again() -> None:
    tweets = Tweets()
    viewers = Viewers(tweets)
    await viewers.engaged(1, [100])
    viewers.shelf.forget([1])
    await viewers.engaged(1, [100])
    assert tweets.loads == [[1], [1]]


async def test_a_page_does_not_wait_for_a_service_that_is_away() -> None:
    with structlog.testing.capture_logs():
        await _away_and_back()


async def _away_and_back() -> None:
    tweets = Tweets()
    viewers = Viewers(tweets)
    tweets.away = True
    assert await viewers.engaged(1, [100]) == NOT_ENGAGED
    viewers, tweets.away = Viewers(tweets), False
    tweets.hung.clear()
    begun = tweets.begun
    for _ in range(3):  # it hangs, and is left alone for a while
        assert await viewers.engaged(1, [100]) == NOT_ENGAGED
    assert tweets.begun == begun + 1
    tweets.hung.set()
    async with asyncio.timeout(10):
        while await viewers.engaged(1, [100]) == NOT_ENGAGED:
            await asyncio.sleep(0.05)
