"""A page of tweets as bytes, put together of ready pieces.

Every answer that shows tweets begins with the same fields: 1 tweets, 2 the users who appear in
them, 3 what the caller did to them, 4 the next page's token. What else it has goes behind them.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from aviary.tweet.v1.viewer_pb2 import Viewer
from clients.wire import frame, tag_of

TWEET, VIEWER, NEXT_PAGE_TOKEN = tag_of(1), tag_of(3), tag_of(4)
USERS_FIELD = 2


class Engaged(NamedTuple):
    """Those of some tweets that a user favourited, and those that the user retweeted."""

    favorited: Collection[int]
    retweeted: Collection[int]

    def among(self, tweet_ids: Collection[int]) -> "Engaged":
        """As far as it concerns these tweets, in their order."""
        favorited, retweeted = self
        return Engaged(
            [tweet_id for tweet_id in tweet_ids if tweet_id in favorited],
            [tweet_id for tweet_id in tweet_ids if tweet_id in retweeted],
        )

    def viewer(self) -> Viewer:
        """As the contract has it."""
        return Viewer(favorited_tweet_ids=self.favorited, retweeted_tweet_ids=self.retweeted)


NOT_ENGAGED = Engaged((), ())


def tweet_page(
    tweets: Iterable[bytes], users: Iterable[bytes], engaged: Engaged, next_page_token: str
) -> bytes:
    """The fields 1 to 4, of frames of tweets (`TWEET`) and of users (`USERS_FIELD`)."""
    known = engaged.viewer().SerializeToString() if any(engaged) else b""
    token = frame(NEXT_PAGE_TOKEN, next_page_token.encode()) if next_page_token else b""
    return b"".join([*tweets, *users, frame(VIEWER, known), token])
