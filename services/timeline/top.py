"""A page of a home timeline by score: one order per page chain, carried in its page tokens."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE
from services.chassis.snowflake import wall_clock_ms

from .domain import Span
from .home import HomeTimelines, Page
from .hydrate import Hydrator, tweet_of
from .parents import Stretch
from .ranking import Score, score
from .relations import Relations, RulesSource
from .rules import Replies, Shown, Verdict, verdict
from .sources import unpack_ids

RANKED = 200
"""Tweets of the timeline that are ranked; older ones follow by id."""


class RankedPage(NamedTuple):
    """A page, and the ids of the ranked tweets that come after it."""

    page: Page
    rest: tuple[int, ...]


class TopTimelines:
    """Reads pages of home timelines by score."""

    def __init__(
        self,
        home: HomeTimelines,
        hydrator: Hydrator,
        graph: RulesSource,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._home = home
        self._hydrator = hydrator
        self._graph = graph
        self._clock_ms = clock_ms

    async def first(self, viewer: Relations, span: Span, replies: Replies) -> RankedPage:
        """The best of the newest tweets of a span; `span.limit` is the size of the page."""
        newest = await self._home.read(viewer, span._replace(limit=RANKED), 0, replies)
        scores = await self._scores(viewer, newest.shown)
        ranked = sorted(
            newest.shown,
            key=lambda tweet: (scores[tweet[0]].total, tweet[0]),
            reverse=True,
        )
        rest = tuple(tweet_id for tweet_id, _, _ in ranked[span.limit :])
        best = newest._replace(shown=ranked[: span.limit])
        return RankedPage(await self._home.present(best, viewer), rest)

    async def following(
        self, viewer: Relations, ranked: tuple[int, ...], size: int, replies: Replies, last_id: int
    ) -> RankedPage:
        """The next tweets of an order that was decided before, as far as they may be shown."""
        tweet_ids, rest = ranked[:size], ranked[size:]
        contents = await self._hydrator.tweets(tweet_ids)
        shown: list[Shown] = []
        for tweet_id, content in zip(tweet_ids, contents, strict=True):
            if content and content.frame:
                author = tweet_of(content).user_id
                if verdict(author, content, viewer, replies) is Verdict.SHOWN:
                    shown.append((tweet_id, author, content))
        return RankedPage(await self._home.present(Stretch(shown, last_id), viewer), rest)

    async def score(self, viewer: Relations, tweet: Shown) -> Score:
        """One tweet's score, now."""
        return (await self._scores(viewer, [tweet]))[tweet[0]]

    async def _scores(self, viewer: Relations, shown: list[Shown]) -> Mapping[int, Score]:
        rules = await self._graph.viewer_rules(
            [viewer.user_id], surface=SURFACE_HOME_TIMELINE, mutual=True
        )
        mutual = frozenset(unpack_ids(rules[viewer.user_id].mutual_ids))
        now = self._clock_ms()
        return {tweet_id: score(tweet_of(content), mutual, now) for tweet_id, _, content in shown}
