"""Step 1 of a home read: which tweets in which order, before their content is known."""

from redis.exceptions import RedisError

from . import domain
from .domain import SETTLED, TRIM_BEYOND, Slice, Span
from .heads import Heads
from .metrics import ReadMetrics
from .rebuild import Builds
from .sources import Truth

SPARE = 44
"""Entries read beyond the page: for what is dropped, what is doubled, and to prove the order."""


class Skeleton:
    """Reads stretches of home timelines from lists, and where these end from SQL."""

    def __init__(self, heads: Heads, builds: Builds, truth: Truth, metrics: ReadMetrics) -> None:
        self._heads = heads
        self._builds = builds
        self._truth = truth
        self._metrics = metrics

    async def read(self, user_id: int, span: Span, depth: int) -> Slice:
        """The newest part of a span; `depth` is how many tweets of the list lie before it."""
        try:
            return await self._from_list(user_id, span, depth)
        except RedisError:
            self._metrics.sql_reads.labels(why="redis_away").inc()
            return await self._truth.read(user_id, span)

    async def _from_list(self, user_id: int, span: Span, depth: int) -> Slice:
        count = min(depth, TRIM_BEYOND) + span.limit + SPARE
        window = await self._heads.read(user_id, count)
        if window:
            found = cut(window, span)
            if len(found.entries) == span.limit or found.reached <= span.lowest:
                return found
        if not window or domain.is_building(window[-1]):
            window = await self._builds.ready(user_id)
        else:
            if not window[-1][16] & SETTLED:
                self._metrics.whole_reads.inc()
                self._builds.settle_soon(user_id)
            if len(window) == count:
                window = await self._builds.ready(user_id)
        return await self._continue(user_id, cut(window, span), span)

    async def _continue(self, user_id: int, found: Slice, span: Span) -> Slice:
        """The same with what lies past the list's end."""
        missing = span.limit - len(found.entries)
        if not missing or found.reached <= span.lowest:
            return found
        self._metrics.sql_reads.labels(why="past_list").inc()
        rest = span._replace(before=min(span.before, found.reached), limit=missing)
        older = await self._truth.read(user_id, rest)
        return Slice(found.entries + older.entries, older.reached)


def cut(window: list[bytes], span: Span) -> Slice:
    """The part of a span that a window of the list proves."""
    floor = domain.floor_of(window)
    found = domain.select(window, span, floor)
    full = len(found) == span.limit
    return Slice(found, found[-1][0] if full else max(floor, span.lowest))
