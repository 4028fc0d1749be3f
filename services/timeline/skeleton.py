"""Step 1 of a home read: which tweets in which order, before their content is known."""

from redis.exceptions import RedisError

from . import domain
from .domain import SETTLED, TRIM_SLACK, Slice, Span
from .heads import Heads
from .metrics import ReadMetrics
from .rebuild import Builds
from .relations import Relations
from .rings import Rings
from .sources import Truth
from .store import Lists, PolicySource

SPARE = 44
"""Entries read beyond the page: for what is dropped, what is doubled, and to prove the order."""


class Skeleton:
    """Reads stretches of home timelines from lists and rings, and where these end from SQL."""

    def __init__(
        self,
        lists: Lists,
        builds: Builds,
        rings: Rings,
        truth: Truth,
        policy: PolicySource,
        metrics: ReadMetrics,
    ) -> None:
        self._lists = lists
        self._heads = Heads(lists)
        self._builds = builds
        self._rings = rings
        self._truth = truth
        self._policy = policy
        self._metrics = metrics

    async def read(self, viewer: Relations, span: Span, depth: int) -> Slice:
        """The newest part of a span; `depth` is how many tweets of the list lie before it."""
        authors = viewer.rings(self._policy.current.pulled)
        try:
            found = await self._from_list(viewer.user_id, span, depth)
            if authors:
                found = await self._rings.merge(found, span, authors)
        except RedisError:
            self._metrics.sql_reads.labels(why="redis_away").inc()
            return await self._truth.read(viewer.shown, span)
        return await self._continue(viewer, found, span)

    async def _from_list(self, user_id: int, span: Span, depth: int) -> Slice:
        count = min(depth, self._lists.length + TRIM_SLACK) + span.limit + SPARE
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
        return cut(window, span)

    async def _continue(self, viewer: Relations, found: Slice, span: Span) -> Slice:
        """The same with what lies past the list's end."""
        missing = span.limit - len(found.entries)
        if not missing or found.reached <= span.lowest:
            return found
        self._metrics.sql_reads.labels(why="past_list").inc()
        rest = span._replace(before=min(span.before, found.reached), limit=missing)
        older = await self._truth.read(viewer.shown, rest)
        return Slice(found.entries + older.entries, older.reached)


def cut(window: list[bytes], span: Span) -> Slice:
    """The part of a span that a window of the list proves."""
    floor = domain.floor_of(window)
    found = domain.select(window, span, floor)
    full = len(found) == span.limit
    return Slice(found, found[-1][0] if full else max(floor, span.lowest))
