"""Reads: by id, and the newest over many authors."""

from collections.abc import Sequence

from services.chassis.stores import Pool

from ..domain import Target, TweetRow
from .rows import SHOWN, SHOWN_FROM, row_of

ANY_ID = (1 << 63) - 1
_ROWS = (
    f"SELECT {SHOWN} FROM {SHOWN_FROM}"  # noqa: S608 - our own column names
    " WHERE tweet_id = ANY(%b) AND delete_time IS NULL"
)
_BEFORE = (
    f"SELECT {SHOWN} FROM {SHOWN_FROM}"  # noqa: S608 - our own column names
    " WHERE tweet_id < %b AND delete_time IS NULL AND flags & 2 = 0"
    " ORDER BY tweet_id DESC LIMIT %b"
)
_TARGETS = """
SELECT t.tweet_id, o.tweet_id, o.author_id, o.conversation_id
FROM tweets t
CROSS JOIN LATERAL (
  SELECT tweet_id, author_id, conversation_id FROM tweets
  WHERE tweet_id = CASE t.original_tweet_id WHEN 0 THEN t.tweet_id ELSE t.original_tweet_id END
    AND delete_time IS NULL OFFSET 0) o
WHERE t.tweet_id = ANY(%b) AND t.delete_time IS NULL
"""
_RECENT = """
WITH first AS MATERIALIZED (
  SELECT t.* FROM unnest(%(authors)s::bigint[]) AS a(author_id)
  CROSS JOIN LATERAL (
    SELECT tweet_id, author_id, flags FROM tweets
    WHERE tweets.author_id = a.author_id AND delete_time IS NULL
      AND tweet_id > %(since_id)s AND tweet_id <= %(max_id)s
    ORDER BY tweet_id DESC LIMIT %(share)s) t),
edge AS MATERIALIZED (
  SELECT coalesce((SELECT tweet_id FROM first ORDER BY tweet_id DESC OFFSET %(limit)s - 1 LIMIT 1),
                  %(since_id)s) AS tweet_id),
busy AS MATERIALIZED (
  SELECT author_id, min(tweet_id) AS oldest FROM first GROUP BY author_id
  HAVING count(*) = %(share)s AND min(tweet_id) > (SELECT tweet_id FROM edge)),
rest AS (
  SELECT t.* FROM busy
  CROSS JOIN LATERAL (
    SELECT tweet_id, author_id, flags FROM tweets
    WHERE tweets.author_id = busy.author_id AND delete_time IS NULL
      AND tweet_id < busy.oldest AND tweet_id > (SELECT tweet_id FROM edge)
    ORDER BY tweet_id DESC LIMIT %(limit)s) t),
newest AS (
  SELECT * FROM (SELECT * FROM first UNION ALL SELECT * FROM rest) everything
  ORDER BY tweet_id DESC LIMIT %(limit)s)
SELECT coalesce(string_agg(
  int8send(tweet_id) || int8send(author_id) || substring(int2send(flags) FROM 2),
  ''::bytea ORDER BY tweet_id DESC), ''::bytea) FROM newest
"""
"""A few tweets of every author, then the rest of those authors whose few are all among the newest.

Exact, and it reads little more than it answers; everything is in the primary key's index.
"""


class ReadStore:
    """Reads of one database; deleted tweets are not there."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rows(self, tweet_ids: Sequence[int]) -> list[TweetRow]:
        """The rows of those ids that exist, in any order."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_ROWS, (list(tweet_ids),), binary=True)
            return [row_of(row) for row in await cursor.fetchall()]

    async def before(self, tweet_id: int, limit: int) -> list[TweetRow]:
        """The newest tweets with a smaller id, newest first, without retweets."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_BEFORE, (tweet_id, limit), binary=True)
            return [row_of(row) for row in await cursor.fetchall()]

    async def targets(self, tweet_ids: Sequence[int]) -> dict[int, Target]:
        """What there is to answer, quote, favourite or retweet: of a retweet, its original."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_TARGETS, (list(tweet_ids),), binary=True)
            return {row[0]: Target(*row[1:]) for row in await cursor.fetchall()}

    async def recent(
        self, author_ids: Sequence[int], *, since_id: int, max_id: int, limit: int
    ) -> bytes:
        """Timeline entries of the newest tweets over all authors, newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _RECENT,
                {
                    "authors": list(dict.fromkeys(author_ids)),
                    "since_id": since_id,
                    "max_id": max_id or ANY_ID,
                    "share": max(4, -(-2 * limit // max(1, len(author_ids)))),
                    "limit": limit,
                },
                binary=True,
            )
            (entries,) = await cursor.fetchone() or (b"",)
            return bytes(entries)
