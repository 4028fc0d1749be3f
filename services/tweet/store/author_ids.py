"""Authors' tweets page by page: the ids alone, for many authors in one statement."""

from collections.abc import Sequence
from typing import NamedTuple

from services.chassis.stores import Pool

from ..domain import Kinds, Span
from .rows import SCANNED

_BOUNDS = "author_id = q.owner AND tweet_id < q.before AND tweet_id > q.after"
_WITH_MEDIA = f"{_BOUNDS} AND flags & 8 <> 0 AND delete_time IS NULL"
"""Literally the condition of the index tweets_with_media."""


class Query(NamedTuple):
    """A page of an author's tweets."""

    author_id: int
    span: Span
    kinds: Kinds


class IdStretch(NamedTuple):
    """Ids, newest first, and the id below which the list goes on (0 at its end)."""

    tweet_ids: list[int]
    reached: int


def _pages(source: str) -> bytes:
    return f"""
    SELECT found.ids, CASE WHEN cardinality(found.ids) < q.wanted THEN (
      SELECT tweet_id FROM tweets WHERE {source}
      ORDER BY tweet_id DESC OFFSET %(scanned)s - 1 LIMIT 1) END
    FROM unnest(%(owners)s::bigint[], %(before)s::bigint[], %(after)s::bigint[],
                %(wanted)s::int[], %(masks)s::int[], %(values)s::int[]) WITH ORDINALITY
      AS q(owner, before, after, wanted, mask, value, place)
    CROSS JOIN LATERAL (SELECT ARRAY(
      SELECT tweet_id FROM (
        SELECT tweet_id, flags, delete_time FROM tweets WHERE {source}
        ORDER BY tweet_id DESC LIMIT %(scanned)s) s
      WHERE delete_time IS NULL AND flags & q.mask = q.value
      ORDER BY tweet_id DESC LIMIT q.wanted) AS ids OFFSET 0) found
    ORDER BY q.place
    """.encode()  # noqa: S608 - our own text


_IN_ORDER = b"SET LOCAL enable_sort = off"
"""One plan serves all authors. Sorting is cheapest for the mean one, and reads all that a prolific
one ever wrote; an index's order stops where the page ends."""
_PAGES, _MEDIA_PAGES = _pages(_BOUNDS), _pages(_WITH_MEDIA)


class AuthorIdStore:
    """Authors' lists in one database; deleted tweets are not there."""

    def __init__(self, pool: Pool, scanned: int = SCANNED) -> None:
        self._pool = pool
        self._scanned = scanned

    async def pages(self, queries: Sequence[Query]) -> list[IdStretch]:
        """A page for each query, in the same order."""
        wanted = dict.fromkeys(queries)
        found = await self._read(_PAGES, [q for q in wanted if not q.kinds.only_media])
        found |= await self._read(_MEDIA_PAGES, [q for q in wanted if q.kinds.only_media])
        return [found[query] for query in queries]

    async def _read(self, statement: bytes, queries: list[Query]) -> dict[Query, IdStretch]:
        if not queries:
            return {}
        async with (
            self._pool.connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            await connection.execute(_IN_ORDER)
            cursor = await connection.execute(
                statement, _values(queries, self._scanned), binary=True
            )
            rows = await cursor.fetchall()
        return {q: _stretch(q, *row) for q, row in zip(queries, rows, strict=True)}


def _values(queries: Sequence[Query], scanned: int) -> dict[str, object]:
    # One more than is shown tells whether the page is the last.
    wanted = [query.span.limit + 1 for query in queries]
    flags = [query.kinds.flags for query in queries]
    return {
        "owners": [query.author_id for query in queries],
        "before": [query.span.before for query in queries],
        "after": [query.span.after for query in queries],
        "wanted": wanted,
        "masks": [mask for mask, _ in flags],
        "values": [value for _, value in flags],
        "scanned": max(scanned, *wanted),
    }


def _stretch(query: Query, ids: list[int], edge: int | None) -> IdStretch:
    limit = query.span.limit
    if len(ids) > limit:
        return IdStretch(ids[:limit], ids[limit - 1])
    return IdStretch(ids, edge or 0)
