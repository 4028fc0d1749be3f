"""A page of a home timeline: the four steps, repeated until the page is full or nothing is left."""

from typing import NamedTuple

from . import rules
from .domain import Span
from .hydrate import Hydrator
from .rules import Shown
from .skeleton import Skeleton

MAX_ROUNDS = 5
"""A page that so many stretches could not fill is short, and has a token."""


class Page(NamedTuple):
    """Frames of tweets and users, and the last id that was considered (0 at the end)."""

    tweets: list[bytes]
    users: list[bytes]
    last_id: int


class HomeTimelines:
    """Reads pages of home timelines."""

    def __init__(self, skeleton: Skeleton, hydrator: Hydrator) -> None:
        self._skeleton = skeleton
        self._hydrator = hydrator

    async def page(self, user_id: int, span: Span, depth: int) -> Page:
        """The newest part of a span, at most `span.limit` tweets; `depth` tweets lie before it."""
        shown: list[Shown] = []
        before, last = span.before, 0
        for _ in range(MAX_ROUNDS):
            missing = span.limit - len(shown)
            # One more than is shown tells whether the page is the last.
            wanted = Span(before, span.after, missing + 1, span.without)
            found = await self._skeleton.read(user_id, wanted, depth + len(shown))
            entries = found.entries[:missing]
            contents = await self._hydrator.tweets([tweet_id for tweet_id, _, _ in entries])
            shown += rules.visible(entries, contents)
            if len(found.entries) > missing:
                before = last = entries[-1][0]
            elif found.reached > span.lowest:
                before = last = found.reached
            else:
                last = 0
                break
            if len(shown) == span.limit:
                break
        return await self._present(shown, last)

    async def _present(self, shown: list[Shown], last: int) -> Page:
        authors = {user_id for user_id, _, _ in shown}
        authors.update(original for _, _, original in shown if original)
        users = await self._hydrator.users(authors)
        return Page([frame for _, frame, _ in shown], users, last)
