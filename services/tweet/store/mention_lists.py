"""The tweets that mention a user, page by page."""

from typing import NamedTuple

from services.chassis.stores import Pool

from ..domain import Counts, Span, TweetRow
from .rows import KEPT, SCANNED, SHOWN, SHOWN_FROM, row_of

_SELECTED = ", ".join(f"t.{column}" for column in (*KEPT, *Counts._fields))
_MENTIONS = (
    "mentions WHERE user_id = %(owner)s AND tweet_id < %(before)s AND tweet_id > %(after)s"
    " ORDER BY tweet_id DESC"
)
_PAGE = f"""
WITH found AS MATERIALIZED (
  SELECT s.tweet_id FROM (SELECT tweet_id FROM {_MENTIONS} LIMIT %(scanned)s) s
  CROSS JOIN LATERAL (SELECT 1 FROM tweets
    WHERE tweet_id = s.tweet_id AND delete_time IS NULL OFFSET 0) alive
  ORDER BY s.tweet_id DESC LIMIT %(limit)s),
edge AS (
  SELECT CASE WHEN (SELECT count(*) FROM found) < %(limit)s THEN (
    SELECT tweet_id FROM {_MENTIONS} OFFSET %(scanned)s - 1 LIMIT 1
  ) END AS reached)
SELECT {_SELECTED}, edge.reached FROM edge LEFT JOIN (
  found CROSS JOIN LATERAL (
    SELECT {SHOWN} FROM {SHOWN_FROM} WHERE tweet_id = found.tweet_id OFFSET 0) t
  ) ON true ORDER BY t.tweet_id DESC
""".encode()  # noqa: S608 - our own text
"""One statement, so that the rows and the edge are of the same instant.

`found` stops as soon as it has enough; only where it ends early the edge of what was looked at is
sought. OFFSET 0 keeps the planner from reading the table whole instead of by key.
"""


class Stretch(NamedTuple):
    """Rows of a list, newest first, and the id below which it goes on (0 at its end)."""

    rows: list[TweetRow]
    reached: int


class MentionLists:
    """Mentions in one database; deleted tweets are not there."""

    def __init__(self, pool: Pool, scanned: int = SCANNED) -> None:
        self._pool = pool
        self._scanned = scanned

    async def page(self, user_id: int, span: Span) -> Stretch:
        """The newest part of a span of the tweets that mention a user."""
        values = {
            "owner": user_id,
            "before": span.before,
            "after": span.after,
            "limit": span.limit + 1,  # one more than is shown tells whether the page is the last
            "scanned": max(self._scanned, span.limit + 1),
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_PAGE, values, binary=True)
            found = await cursor.fetchall()
        rows = [row_of(row) for row in found if row[0] is not None]
        if len(rows) > span.limit:
            return Stretch(rows[: span.limit], rows[span.limit - 1].tweet_id)
        return Stretch(rows, found[0][-1] or 0)
