"""Who favourites or retweets what: pages of it, and what one user did to some tweets."""

from collections.abc import Sequence
from typing import NamedTuple

from services.chassis.stores import Pool
from services.chassis.tweet_page import Engaged

RECENT = 200
"""Favourites, and retweets, that are told of one user at once."""
_USERS = "SELECT {key}, user_id FROM {table} WHERE tweet_id = %b AND {key} < %b"
_TWEETS = (
    "SELECT f.favorite_id, f.tweet_id FROM favorites f CROSS JOIN LATERAL ("
    " SELECT FROM tweets t WHERE t.tweet_id = f.tweet_id AND t.delete_time IS NULL OFFSET 0) alive"
    " WHERE f.user_id = %b AND f.favorite_id < %b"
)
_OF_TWEETS = """
SELECT
  ARRAY(SELECT tweet_id FROM favorites WHERE tweet_id = ANY(%(tweets)s) AND user_id = %(user)s),
  ARRAY(SELECT tweet_id FROM retweets WHERE tweet_id = ANY(%(tweets)s) AND user_id = %(user)s)
"""
_RECENT = """
SELECT u.user_id, f.ids, f.oldest, r.ids, r.oldest
FROM unnest(%(users)s::bigint[]) AS u(user_id)
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(tweet_id), '{}') AS ids,
    CASE WHEN count(*) = %(limit)s THEN min(favorite_id) ELSE 0 END AS oldest
  FROM (SELECT tweet_id, favorite_id FROM favorites WHERE user_id = u.user_id
        ORDER BY favorite_id DESC LIMIT %(limit)s) newest) f
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(tweet_id), '{}') AS ids,
    CASE WHEN count(*) = %(limit)s THEN min(retweet_id) ELSE 0 END AS oldest
  FROM (SELECT tweet_id, retweet_id FROM retweets WHERE user_id = u.user_id
        ORDER BY retweet_id DESC LIMIT %(limit)s) newest) r
"""


class Listed(NamedTuple):
    """An item of a list: its place (greater is later), and whom or what it is about."""

    place: int
    item_id: int


class Recent(NamedTuple):
    """A user's newest favourites and retweets: all of tweets with a greater id than `since_id`."""

    user_id: int
    engaged: Engaged
    since_id: int


class EngagedStore:
    """Reads of favourites and retweets in one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def favoriters(self, tweet_id: int, before: int, limit: int) -> list[Listed]:
        """Who favourites a tweet, the latest of the places before `before` first."""
        query = _USERS.format(table="favorites", key="favorite_id")
        return await self._page(query, "favorite_id", tweet_id, before, limit)

    async def retweeters(self, tweet_id: int, before: int, limit: int) -> list[Listed]:
        """Who retweeted a tweet, in the same way."""
        query = _USERS.format(table="retweets", key="retweet_id")
        return await self._page(query, "retweet_id", tweet_id, before, limit)

    async def favorites(self, user_id: int, before: int, limit: int) -> list[Listed]:
        """What a user favourites of the tweets that there are, in the same way."""
        return await self._page(_TWEETS, "f.favorite_id", user_id, before, limit)

    async def of_tweets(self, user_id: int, tweet_ids: Sequence[int]) -> Engaged:
        """Which of these tweets a user favourited, and which retweeted."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _OF_TWEETS, {"tweets": list(tweet_ids), "user": user_id}, binary=True
            )
            favorited, retweeted = await cursor.fetchone() or ((), ())
            return Engaged(favorited, retweeted)

    async def recent(self, user_ids: Sequence[int], limit: int = RECENT) -> list[Recent]:
        """The newest of each of these users.

        A tweet is favourited after it was made, so the oldest of the newest favourites bounds the
        tweets of which everything is known.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _RECENT, {"users": list(dict.fromkeys(user_ids)), "limit": limit}, binary=True
            )
            return [
                Recent(user_id, Engaged(favorited, retweeted), max(oldest, oldest_retweet))
                for user_id, favorited, oldest, retweeted, oldest_retweet in await cursor.fetchall()
            ]

    async def _page(
        self, query: str, key: str, owner: int, before: int, limit: int
    ) -> list[Listed]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"{query} ORDER BY {key} DESC LIMIT %b".encode(),
                (owner, before, limit),
                binary=True,
            )
            return [Listed(*row) for row in await cursor.fetchall()]
