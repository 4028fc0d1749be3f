"""Parents of replies: present at their own place even where they have not been delivered yet.

Deliveries come in any order, so a reply may be in a list before the tweet that it answers. Whoever
sees the reply on a page must find its parent there too, if the parent belongs in the timeline.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from services.chassis.snowflake import unix_ms_of, wall_clock_ms

from .domain import Span
from .hydrate import Hydrator, tweet_of
from .relations import Relations
from .rules import Replies, Shown, Verdict, verdict

LATE_MS = 600_000
"""Older parents have been delivered: they are not looked for behind a page."""
MAX_AWAITED = 32


class Stretch(NamedTuple):
    """Tweets of a page and what lies behind it, as `home.Page` has them."""

    shown: list[Shown]
    last_id: int
    awaited: tuple[int, ...] = ()


class Parents:
    """Puts parents in their places."""

    def __init__(self, hydrator: Hydrator, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._hydrator = hydrator
        self._clock_ms = clock_ms

    async def place(
        self,
        page: Stretch,
        span: Span,
        viewer: Relations,
        replies: Replies,
        awaited: Iterable[int] = (),
    ) -> Stretch:
        """The same page with the parents that belong on it; `awaited` are those of pages before.

        `span` is what was asked for. Where the page grows too long its end goes to the next one.
        """
        lowest = page.last_id or span.lowest
        by_id = {tweet[0]: tweet for tweet in page.shown}
        seen, behind = set(by_id), []
        waiting = [*awaited, *_parents_of(page.shown, viewer)]
        while waiting:
            parent_id = waiting.pop()
            if parent_id in seen or not span.after < parent_id < span.before:
                continue
            seen.add(parent_id)
            if parent_id < lowest:
                behind.append(parent_id)
            elif found := await self._find(parent_id, viewer, replies):
                by_id[parent_id] = found
                waiting += _parents_of([found], viewer)
        ordered = sorted(by_id.values(), reverse=True)
        last = page.last_id
        if len(ordered) > span.limit:
            behind += [tweet_id for tweet_id, _, _ in ordered[span.limit :]]
            ordered = ordered[: span.limit]
            last = ordered[-1][0]
        since = self._clock_ms() - LATE_MS
        late = (parent_id for parent_id in behind if unix_ms_of(parent_id) > since)
        return Stretch(ordered, last, tuple(sorted(late, reverse=True)[:MAX_AWAITED]))

    async def _find(self, tweet_id: int, viewer: Relations, replies: Replies) -> Shown | None:
        (content,) = await self._hydrator.tweets([tweet_id])
        if not content or not content.frame:
            return None
        author = tweet_of(content).user_id
        if verdict(author, content, viewer, replies) is not Verdict.SHOWN:
            return None
        return tweet_id, author, content


def _parents_of(shown: Iterable[Shown], viewer: Relations) -> list[int]:
    """The tweets that these answer, as far as their authors are shown."""
    return [
        content.parent_id
        for _, _, content in shown
        if content.parent_id and content.parent_user_id in viewer.shown
    ]
