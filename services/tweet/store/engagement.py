"""Favourites and retweets: many changes in one transaction, counts and events with them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain import RETWEET
from . import counts

_ASKED = (
    "unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::boolean[])"
    " AS a(tweet_id, user_id, new_id, wanted)"
)
_CHANGE = """
WITH asked AS MATERIALIZED (SELECT * FROM {asked}),
alive AS MATERIALIZED (
  SELECT tweet_id, author_id FROM tweets
  WHERE tweet_id IN (SELECT tweet_id FROM asked) AND delete_time IS NULL),
added AS (
  INSERT INTO {table} (tweet_id, user_id, {key})
  SELECT tweet_id, user_id, new_id FROM asked JOIN alive USING (tweet_id) WHERE wanted
  ON CONFLICT DO NOTHING RETURNING tweet_id, user_id, {key} AS row_id),
gone AS (
  DELETE FROM {table} e USING asked a
  WHERE NOT a.wanted AND e.tweet_id = a.tweet_id AND e.user_id = a.user_id
  RETURNING e.tweet_id, e.user_id, e.{key} AS row_id),
changed AS (
  SELECT tweet_id, user_id, row_id, 1 AS change FROM added
  UNION ALL SELECT tweet_id, user_id, row_id, -1 FROM gone),
counted AS (
  UPDATE tweet_counts c SET {count} = c.{count} + d.change
  FROM (SELECT tweet_id, sum(change) AS change FROM changed GROUP BY tweet_id) d
  WHERE c.tweet_id = d.tweet_id
  RETURNING c.tweet_id, c.{count} AS total),
listed AS (
  SELECT tweet_id, array_agg(user_id) AS users, array_agg(row_id) AS rows,
    array_agg(change) AS changes
  FROM changed GROUP BY tweet_id)
SELECT alive.tweet_id, alive.author_id, coalesce(counted.total, c.{count}),
  listed.users, listed.rows, listed.changes
FROM alive JOIN tweet_counts c USING (tweet_id)
LEFT JOIN counted USING (tweet_id) LEFT JOIN listed USING (tweet_id)
"""
"""A statement sees the rows as they were before it, so the counts of what it changes are `counted`.

What is not alive any more loses nothing and gains nothing; its rows are cleaned up elsewhere.
"""
_FAVORITES, _RETWEETS = (
    _CHANGE.format(asked=_ASKED, table=table, key=key, count=count).encode()
    for table, key, count in (
        ("favorites", "favorite_id", "favorite_count"),
        ("retweets", "retweet_id", "retweet_count"),
    )
)
_MAKE_RETWEETS = (
    "INSERT INTO tweets (tweet_id, author_id, status, entities, in_reply_to_tweet_id,"  # noqa: S608
    " in_reply_to_user_id, quote_tweet_id, quote_user_id, conversation_id, flags,"
    " original_tweet_id, original_user_id)"
    f" SELECT r.tweet_id, r.author_id, '', '', 0, 0, 0, 0, r.tweet_id, {RETWEET},"
    " r.original_tweet_id, r.original_user_id"
    " FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])"
    " AS r(tweet_id, author_id, original_tweet_id, original_user_id)"
)
_DROP_RETWEETS = (
    "UPDATE tweets t SET delete_time = now()"
    " FROM unnest(%b::bigint[], %b::bigint[]) AS r(tweet_id, author_id)"
    " WHERE t.tweet_id = r.tweet_id AND t.author_id = r.author_id"
)


class Wish(NamedTuple):
    """What one user wants of one tweet: to favourite or retweet it, or no longer to.

    `new_id` is the favourite's or the retweet's id, should there be none yet.
    """

    tweet_id: int
    user_id: int
    new_id: int
    wanted: bool


class Change(NamedTuple):
    """What came about: `row_id` is the favourite's or the retweet's id."""

    tweet_id: int
    author_id: int
    user_id: int
    row_id: int
    added: bool


class Outcome(NamedTuple):
    """The counts of the tweets that there still are, by id, and what changed."""

    totals: dict[int, int]
    changes: list[Change]


EventsOf = Callable[[Sequence[Change]], list[NewEvent]]


class EngagementStore:
    """Writes of favourites and retweets in one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def favorite(self, wishes: Sequence[Wish], events_of: EventsOf) -> Outcome:
        """Fulfil wishes, at most one for each tweet and user, durably."""
        async with self._changing(_FAVORITES, wishes, events_of) as (_, outcome):
            return outcome

    async def retweet(self, wishes: Sequence[Wish], events_of: EventsOf) -> Outcome:
        """The same for retweets, which are tweets themselves."""
        async with self._changing(_RETWEETS, wishes, events_of) as (connection, outcome):
            made = [change for change in outcome.changes if change.added]
            if made:
                columns = zip(
                    *((c.row_id, c.user_id, c.tweet_id, c.author_id) for c in made), strict=True
                )
                await connection.execute(_MAKE_RETWEETS, [list(column) for column in columns])
            gone = [change for change in outcome.changes if not change.added]
            if gone:
                ids, users = [c.row_id for c in gone], [c.user_id for c in gone]
                await connection.execute(_DROP_RETWEETS, (ids, users))
            return outcome

    async def retweet_id(self, tweet_id: int, user_id: int) -> int:
        """A user's retweet of a tweet; 0 where there is none."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT retweet_id FROM retweets WHERE tweet_id = %b AND user_id = %b",
                (tweet_id, user_id),
            )
            row = await cursor.fetchone()
            return row[0] if row else 0

    @contextlib.asynccontextmanager
    async def _changing(
        self, statement: bytes, wishes: Sequence[Wish], events_of: EventsOf
    ) -> AsyncIterator[tuple[Connection, Outcome]]:
        """The transaction in which wishes are fulfilled."""
        columns = [list(column) for column in zip(*wishes, strict=True)]
        async with (
            self._pool.connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            await counts.lock(connection, {wish.tweet_id for wish in wishes})
            cursor = await connection.execute(statement, columns, binary=True)
            outcome = _outcome(await cursor.fetchall())
            if outcome.changes:
                await append(connection, events_of(outcome.changes))
            yield connection, outcome


def _outcome(rows: Iterable[tuple[Any, ...]]) -> Outcome:
    totals: dict[int, int] = {}
    changes: list[Change] = []
    for tweet_id, author_id, total, users, row_ids, signs in rows:
        totals[tweet_id] = total
        for user_id, row_id, sign in zip(users or (), row_ids or (), signs or (), strict=True):
            changes.append(Change(tweet_id, author_id, user_id, row_id, sign > 0))
    return Outcome(totals, changes)
