"""Tweets as rows: what a statement selects to show them, and what it reads back."""

from typing import Any

from ..domain import Counts, TweetRow

SCANNED = 2_000
"""Index entries that a page of a list looks at, under 1 ms: where what is wanted lies far apart, a
page is short and says from where to go on."""
KEPT = tuple(field for field in TweetRow._fields if field != "counts")
COLUMNS = ", ".join(KEPT)
TYPES = (
    *("bigint", "bigint", "text", "bytea", "bigint", "bigint", "bigint", "bigint", "bigint"),
    *("float8", "float8", "float8", "float8", "smallint", "bytea", "bigint", "bigint"),
)
SHOWN = ", ".join(
    [
        *(f"tweets.{column}" for column in KEPT),
        *(f"coalesce(tweet_counts.{column}, 0) AS {column}" for column in Counts._fields),
    ]
)
"""What `row_of` reads, from `SHOWN_FROM`."""
_SHOWN = len(KEPT) + len(Counts._fields)
SHOWN_FROM = (
    "tweets LEFT JOIN LATERAL ("  # noqa: S608 - our own column names
    f"SELECT {', '.join(Counts._fields)} FROM tweet_counts c"
    " WHERE c.tweet_id = tweets.tweet_id OFFSET 0) tweet_counts ON true"
)
"""OFFSET 0 keeps the planner to the key: a plan that reads the whole table while it is small would
be kept when it has grown."""


def row_of(record: tuple[Any, ...]) -> TweetRow:
    """A row of the columns SHOWN."""
    return TweetRow._make((*record[: len(KEPT)], Counts._make(record[len(KEPT) : _SHOWN])))
