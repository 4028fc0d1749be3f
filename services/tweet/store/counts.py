"""The counts of tweets, and the lock by which what happens to one tweet happens in a row.

Locks are always taken in the order of ids, so that two transactions cannot wait for each other.
"""

from collections.abc import Iterable, Mapping

from services.chassis.stores import Connection

from ..domain import NO_COUNTS, Counts

_COLUMNS = ", ".join(Counts._fields)
_LOCK = """
INSERT INTO tweet_counts (tweet_id) SELECT * FROM unnest(%b::bigint[])
ON CONFLICT (tweet_id) DO UPDATE SET tweet_id = excluded.tweet_id WHERE false
"""
"""DO UPDATE locks even the rows that its WHERE then leaves as they are."""
_ADD = (
    f"INSERT INTO tweet_counts (tweet_id, {_COLUMNS})"  # noqa: S608 - our own column names
    " SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])"
    " ON CONFLICT (tweet_id) DO UPDATE SET "
    + ", ".join(f"{name} = tweet_counts.{name} + excluded.{name}" for name in Counts._fields)
)


async def lock(connection: Connection, tweet_ids: Iterable[int]) -> None:
    """Wait until nobody else changes these tweets' counts, and keep it so in this transaction."""
    await connection.execute(_LOCK, (sorted(set(tweet_ids)),))


async def add(connection: Connection, changes: Mapping[int, Counts]) -> None:
    """Change counts by so much, in the caller's transaction."""
    if changes:
        ids = sorted(changes)
        columns = zip(*(changes[tweet_id] for tweet_id in ids), strict=True)
        await connection.execute(_ADD, (ids, *map(list, columns)))


def answers(rows: Iterable[tuple[int, int]], by: int = 1) -> dict[int, Counts]:
    """What tweets that answer and quote (pairs of these ids, 0 for none) add to the others."""
    changes: dict[int, Counts] = {}
    for parent_id, quoted_id in rows:
        if parent_id:
            counts = changes.get(parent_id, NO_COUNTS)
            changes[parent_id] = counts._replace(reply_count=counts.reply_count + by)
        if quoted_id:
            counts = changes.get(quoted_id, NO_COUNTS)
            changes[quoted_id] = counts._replace(quote_count=counts.quote_count + by)
    return changes
