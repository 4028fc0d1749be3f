"""Lists that are read page by page: one author's tweets, and the tweets that mention a user.

A page looks at a bounded number of index entries: where what is wanted lies far apart, a page is
short and says from where to go on.
"""

from typing import NamedTuple

from services.chassis.stores import Pool

from ..domain import Counts, Kinds, Span, TweetRow
from .rows import KEPT, SHOWN, SHOWN_FROM, row_of

SCANNED = 2_000
"""Index entries that one page looks at: under 1 ms."""
_SELECTED = ", ".join(f"t.{column}" for column in (*KEPT, *Counts._fields))
_PAGE = """
WITH found AS MATERIALIZED ({found}),
edge AS (
  SELECT CASE WHEN (SELECT count(*) FROM found) < %(limit)s THEN (
    SELECT tweet_id FROM {source} ORDER BY tweet_id DESC OFFSET %(scanned)s - 1 LIMIT 1
  ) END AS reached)
SELECT {columns}, edge.reached FROM edge LEFT JOIN (
  found CROSS JOIN LATERAL ({row}) t) ON true ORDER BY t.tweet_id DESC
"""
"""One statement, so that the rows and the edge are of the same instant.

`found` stops as soon as it has enough; only where it ends early the edge of what was looked at is
sought. OFFSET 0 keeps the planner from reading the table whole instead of by key.
"""
_BOUNDS = "tweet_id < %(before)s AND tweet_id > %(after)s"
_OF_AUTHOR = f"tweets WHERE author_id = %(owner)s AND {_BOUNDS}"
_WITH_MEDIA = f"{_OF_AUTHOR} AND flags & 8 <> 0 AND delete_time IS NULL"
"""Literally the condition of the index tweets_with_media."""
_OF_MENTIONED = f"mentions WHERE user_id = %(owner)s AND {_BOUNDS}"


def _author_page(source: str) -> bytes:
    return _PAGE.format(
        found=(
            "SELECT tweet_id FROM (SELECT tweet_id, flags, delete_time"  # noqa: S608 - our own text
            f" FROM {source} ORDER BY tweet_id DESC LIMIT %(scanned)s) s"
            " WHERE delete_time IS NULL AND flags & %(mask)s = %(value)s"
            " ORDER BY tweet_id DESC LIMIT %(limit)s"
        ),
        source=source,
        columns=_SELECTED,
        row=(
            f"SELECT {SHOWN} FROM {SHOWN_FROM}"  # noqa: S608 - our own text
            " WHERE author_id = %(owner)s AND tweet_id = found.tweet_id OFFSET 0"
        ),
    ).encode()


_AUTHOR_PAGE, _MEDIA_PAGE = _author_page(_OF_AUTHOR), _author_page(_WITH_MEDIA)
_MENTION_PAGE = _PAGE.format(
    found=(
        "SELECT s.tweet_id FROM (SELECT tweet_id"  # noqa: S608 - our own text
        f" FROM {_OF_MENTIONED} ORDER BY tweet_id DESC LIMIT %(scanned)s) s"
        " CROSS JOIN LATERAL (SELECT 1 FROM tweets"
        " WHERE tweet_id = s.tweet_id AND delete_time IS NULL OFFSET 0) alive"
        " ORDER BY s.tweet_id DESC LIMIT %(limit)s"
    ),
    source=_OF_MENTIONED,
    columns=_SELECTED,
    row=f"SELECT {SHOWN} FROM {SHOWN_FROM} WHERE tweet_id = found.tweet_id OFFSET 0",  # noqa: S608
).encode()


class Stretch(NamedTuple):
    """Rows of a list, newest first, and the id below which it goes on (0 at its end)."""

    rows: list[TweetRow]
    reached: int


class ListStore:
    """Lists in one database; deleted tweets are not there."""

    def __init__(self, pool: Pool, scanned: int = SCANNED) -> None:
        self._pool = pool
        self._scanned = scanned

    async def of_author(self, author_id: int, span: Span, kinds: Kinds) -> Stretch:
        """The newest part of a span of an author's tweets."""
        mask, value = kinds.flags
        page = _MEDIA_PAGE if kinds.only_media else _AUTHOR_PAGE
        return await self._read(page, author_id, span, mask, value)

    async def of_mentioned(self, user_id: int, span: Span) -> Stretch:
        """The newest part of a span of the tweets that mention a user."""
        return await self._read(_MENTION_PAGE, user_id, span)

    async def _read(
        self, page: bytes, owner: int, span: Span, mask: int = 0, value: int = 0
    ) -> Stretch:
        values = {
            "owner": owner,
            "before": span.before,
            "after": span.after,
            "limit": span.limit + 1,  # one more than is shown tells whether the page is the last
            "scanned": max(self._scanned, span.limit + 1),
            "mask": mask,
            "value": value,
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(page, values, binary=True)
            found = await cursor.fetchall()
        rows = [row_of(row) for row in found if row[0] is not None]
        if len(rows) > span.limit:
            return Stretch(rows[: span.limit], rows[span.limit - 1].tweet_id)
        return Stretch(rows, found[0][-1] or 0)
