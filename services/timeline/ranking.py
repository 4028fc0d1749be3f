"""`ranking=top`: the score of a tweet for one viewer; docs/ranking.md explains it to people.

score = recency * engagement * closeness
recency    = 0.5 ** (age / 6 h)
engagement = 1 + log2(1 + favourites + 2 * (retweets + quotes) + replies)
closeness  = 1.5 for a followee who follows back, else 1
"""

import math
from collections.abc import Collection
from typing import NamedTuple

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import unix_ms_of

HALF_LIFE_MS = 6 * 3_600_000
SPREAD_WEIGHT = 2
"""Retweets and quotes bring a tweet to others, so each counts as this many favourites."""
MUTUAL_CLOSENESS = 1.5


class Score(NamedTuple):
    """A tweet's score and its parts."""

    total: float
    recency: float
    engagement: float
    closeness: float


def score(tweet: Tweet, mutual: Collection[int], now_ms: int) -> Score:
    """The score of a tweet for a viewer whom these of the followees follow.

    A retweet is as old as itself, and has the reactions of its original.
    """
    age_ms = max(0, now_ms - unix_ms_of(tweet.tweet_id))
    counted = tweet.retweeted_status if tweet.HasField("retweeted_status") else tweet
    spread = counted.retweet_count + counted.quote_count
    reactions = counted.favorite_count + SPREAD_WEIGHT * spread + counted.reply_count
    recency = 0.5 ** (age_ms / HALF_LIFE_MS)
    engagement = 1 + math.log2(1 + max(0, reactions))
    closeness = MUTUAL_CLOSENESS if tweet.user_id in mutual else 1.0
    return Score(recency * engagement * closeness, recency, engagement, closeness)
