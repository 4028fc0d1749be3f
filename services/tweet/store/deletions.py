"""Deletion: a tweet is gone with its event; what hangs on it is cleaned up piece by piece after it.

A tweet may have a million favourites: the answer does not wait for them. What is deleted and not
clean is found again by every replica, so a crash in between delays the cleaning and no more.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain import TweetRow
from ..media import store as media
from . import counts

PIECE = 500
"""Rows of one kind that are cleaned up in one transaction."""
KEPT_DAYS = 30
_TAKE = """
SELECT tweet_id FROM deletions WHERE clean_time IS NULL
ORDER BY delete_time LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_DROP_RETWEETS = """
WITH gone AS (
  DELETE FROM retweets WHERE tweet_id = %(tweet)s AND user_id IN (
    SELECT user_id FROM retweets WHERE tweet_id = %(tweet)s LIMIT %(piece)s)
  RETURNING user_id, retweet_id),
marked AS (
  UPDATE tweets SET delete_time = now()
  WHERE tweet_id = ANY(ARRAY(SELECT retweet_id FROM gone)))
SELECT retweet_id, user_id FROM gone
"""
_DROP_FAVORITES = """
DELETE FROM favorites WHERE tweet_id = %(tweet)s AND user_id IN (
  SELECT user_id FROM favorites WHERE tweet_id = %(tweet)s LIMIT %(piece)s)
"""
_DROP_MOMENTS = """
WITH gone AS (DELETE FROM moment_tweets WHERE tweet_id = %b RETURNING moment_id)
UPDATE moments SET update_time = now() WHERE moment_id IN (SELECT moment_id FROM gone)
"""
_NOTE = """
UPDATE deletions SET stores = stores || n.noted
FROM (SELECT jsonb_object_agg(store, clock_timestamp()) AS noted
      FROM unnest(%b::text[]) AS s(store)) n
WHERE tweet_id = ANY(%b)
"""


class Deletion(NamedTuple):
    """A deleted tweet, and when which store was rid of it."""

    tweet_id: int
    author_id: int
    delete_time: datetime
    stores: dict[str, datetime]


class Cleaned(NamedTuple):
    """What one step of cleaning did: which retweets went, and whether the tweet is done with."""

    tweet_id: int
    retweet_ids: Sequence[int]
    done: bool


EventOf = Callable[[int, int, int], NewEvent]
"""The event of a retweet (its id, its user, the original) that went with its original."""


class DeletionStore:
    """Deletes tweets in one database, and all that hangs on them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def delete(self, row: TweetRow, event: NewEvent) -> bool:
        """Delete a tweet that is no retweet, and append the event; whether it was there."""
        tweet_id, parent, quoted = row.tweet_id, row.in_reply_to_tweet_id, row.quote_tweet_id
        async with self._pool.connection() as connection, connection.transaction():
            await counts.lock(connection, {tweet_id, parent, quoted} - {0})
            cursor = await connection.execute(
                "UPDATE tweets SET delete_time = now()"
                " WHERE author_id = %b AND tweet_id = %b AND delete_time IS NULL",
                (row.author_id, tweet_id),
            )
            if not cursor.rowcount:
                return False
            await counts.add(connection, counts.answers([(parent, quoted)], by=-1))
            clean = ["tweets", "tweet_cache"]
            if row.media:
                await media.release(connection, tweet_id)
            else:
                clean.append("media")
            await append(connection, [event])
            await connection.execute(
                "INSERT INTO deletions (tweet_id, author_id) VALUES (%b, %b)",
                (tweet_id, row.author_id),
            )
            await _note(connection, clean, [tweet_id])
            return True

    async def clean(self, event_of: EventOf) -> Cleaned | None:
        """Clean up a piece of what hangs on a deleted tweet; None where all is clean."""
        async with self._pool.connection() as connection, connection.transaction():
            row = await (await connection.execute(_TAKE)).fetchone()
            if row is None:
                return None
            (tweet_id,) = row
            values = {"tweet": tweet_id, "piece": PIECE}
            cursor = await connection.execute(_DROP_RETWEETS, values)
            retweets = await cursor.fetchall()
            if retweets:
                await append(connection, [event_of(one[0], one[1], tweet_id) for one in retweets])
            favorites = (await connection.execute(_DROP_FAVORITES, values)).rowcount
            await connection.execute(_DROP_MOMENTS, (tweet_id,))
            done = len(retweets) < PIECE and favorites < PIECE
            if done:
                await _note(connection, ["retweets", "favorites", "moments"], [tweet_id])
                await connection.execute(
                    "UPDATE deletions SET clean_time = now() WHERE tweet_id = %b", (tweet_id,)
                )
            return Cleaned(tweet_id, [retweet_id for retweet_id, _ in retweets], done)

    async def with_media(self) -> list[int]:
        """Deleted tweets of whose media objects may be left."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT tweet_id FROM deletions WHERE NOT stores ? 'media' LIMIT 1000"
            )
            return [row[0] for row in await cursor.fetchall()]

    async def note(self, store: str, tweet_ids: Iterable[int]) -> None:
        """Note that a store is rid of deleted tweets, by now."""
        async with self._pool.connection() as connection:
            await _note(connection, [store], list(tweet_ids))

    async def read(self, tweet_id: int) -> Deletion | None:
        """What is known of a deletion."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT tweet_id, author_id, delete_time, stores FROM deletions"
                " WHERE tweet_id = %b",
                (tweet_id,),
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        times = {store: datetime.fromisoformat(text) for store, text in row[3].items()}
        return Deletion(row[0], row[1], row[2], times)

    async def prune(self) -> int:
        """Forget what was deleted long ago, a bounded number; how many."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM deletions WHERE tweet_id IN (SELECT tweet_id FROM deletions"
                " WHERE delete_time < now() - %b * interval '1 day' AND clean_time IS NOT NULL"
                " LIMIT 5000)",
                (KEPT_DAYS,),
            )
            return cursor.rowcount


async def _note(connection: Connection, stores: list[str], tweet_ids: Sequence[int]) -> None:
    await connection.execute(_NOTE, (stores, list(tweet_ids)))
