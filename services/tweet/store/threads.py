"""Replies and conversations, page by page."""

from typing import NamedTuple

from services.chassis.stores import Pool

MAX_ANCESTORS = 50
_REPLIES = """
SELECT r.tweet_id FROM replies r CROSS JOIN LATERAL (
  SELECT FROM tweets t WHERE t.tweet_id = r.tweet_id AND t.delete_time IS NULL OFFSET 0) alive
WHERE r.parent_tweet_id = %b AND r.tweet_id < %b
ORDER BY r.tweet_id DESC LIMIT %b
"""
_NODES = """
SELECT n.tweet_id, n.parent_id, t.tweet_id IS NULL OR t.delete_time IS NOT NULL
FROM (SELECT %(conversation)s::bigint AS tweet_id, 0::bigint AS parent_id
      WHERE %(conversation)s > %(after)s
      UNION ALL
      (SELECT tweet_id, parent_tweet_id FROM replies
       WHERE conversation_id = %(conversation)s AND tweet_id > %(after)s
       ORDER BY tweet_id LIMIT %(limit)s)) n
LEFT JOIN LATERAL (
  SELECT tweet_id, delete_time FROM tweets WHERE tweets.tweet_id = n.tweet_id OFFSET 0) t ON true
ORDER BY n.tweet_id LIMIT %(limit)s
"""
_PATH = """
WITH RECURSIVE path AS (
  SELECT tweet_id, in_reply_to_tweet_id, author_id, delete_time, 0 AS depth FROM tweets
  WHERE tweet_id = %(tweet)s
  UNION ALL
  SELECT t.tweet_id, t.in_reply_to_tweet_id, t.author_id, t.delete_time, path.depth + 1
  FROM path JOIN tweets t ON t.tweet_id = path.in_reply_to_tweet_id
  WHERE path.in_reply_to_tweet_id <> 0 AND path.depth < %(limit)s)
SELECT tweet_id, in_reply_to_tweet_id, delete_time IS NOT NULL FROM path
WHERE depth > 0 ORDER BY depth DESC
"""


class Node(NamedTuple):
    """A place in a thread: a tweet, which one it answers (0 for none), and whether it is gone."""

    tweet_id: int
    parent_id: int
    gone: bool


class ThreadStore:
    """Threads in one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def replies(self, tweet_id: int, before: int, limit: int) -> list[int]:
        """The newest direct replies with a smaller id than `before`, newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_REPLIES, (tweet_id, before, limit), binary=True)
            return [row[0] for row in await cursor.fetchall()]

    async def nodes(self, conversation_id: int, after: int, limit: int) -> list[Node]:
        """A thread's places with a greater id than `after`, oldest first, deleted tweets' too."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _NODES,
                {"conversation": conversation_id, "after": after, "limit": limit},
                binary=True,
            )
            return [Node(*row) for row in await cursor.fetchall()]

    async def ancestors(self, tweet_id: int) -> list[Node]:
        """What a tweet answers, and what that one answers, and so on: the farthest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _PATH, {"tweet": tweet_id, "limit": MAX_ANCESTORS}, binary=True
            )
            return [Node(*row) for row in await cursor.fetchall()]
