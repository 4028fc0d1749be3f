"""A page of a home timeline: the four steps, repeated until the page is full or nothing is left."""

from typing import NamedTuple

from services.chassis.tweet_page import NOT_ENGAGED, Engaged

from .domain import Span
from .hydrate import Hydrator, is_protected
from .parents import Parents, Stretch
from .relations import Relations
from .rules import Replies, Shown, visible
from .skeleton import Skeleton

MAX_ROUNDS = 5
"""A page that so many stretches could not fill is short, and has a token."""


class Page(NamedTuple):
    """Frames of tweets and users, and from where the next page goes on."""

    tweets: list[bytes]
    users: list[bytes]
    last_id: int
    """The last id that was considered, 0 at the end."""
    awaited: tuple[int, ...] = ()
    """Parents of this page's replies that lie behind it and may not have been delivered yet."""
    engaged: Engaged = NOT_ENGAGED
    """What the viewer did to these tweets."""


class HomeTimelines:
    """Reads pages of home timelines."""

    def __init__(self, skeleton: Skeleton, hydrator: Hydrator, parents: Parents) -> None:
        self._skeleton = skeleton
        self._hydrator = hydrator
        self._parents = parents

    async def page(
        self,
        viewer: Relations,
        span: Span,
        depth: int,
        replies: Replies,
        awaited: tuple[int, ...] = (),
    ) -> Page:
        """The newest part of a span, at most `span.limit` tweets; `depth` tweets lie before it.

        `awaited` is what the page before said.
        """
        return await self.present(await self.read(viewer, span, depth, replies, awaited), viewer)

    async def read(
        self,
        viewer: Relations,
        span: Span,
        depth: int,
        replies: Replies,
        awaited: tuple[int, ...] = (),
    ) -> Stretch:
        """The tweets of that page."""
        found = await self._read(viewer, span, depth, replies)
        if awaited or any(content.parent_id for _, _, content in found.shown):
            found = await self._parents.place(found, span, viewer, replies, awaited)
        return found

    async def present(self, found: Stretch, viewer: Relations) -> Page:
        """The page that shows these tweets, with everybody who appears in them."""
        shown = found.shown
        originals = {content[1] for _, _, content in shown if content[1]}
        if strangers := originals - viewer.shown:
            closed = await self._hydrator.matching(strangers, is_protected)
            shown = [tweet for tweet in shown if tweet[2].original_user_id not in closed]
        authors = originals | {user_id for _, user_id, _ in shown}
        users = await self._hydrator.users(authors)
        contents = {tweet_id: content for tweet_id, _, content in shown}
        engaged = await self._hydrator.engaged(viewer.user_id, contents)
        frames = [content.frame for content in contents.values()]
        return Page(frames, users, found.last_id, found.awaited, engaged)

    async def _read(self, viewer: Relations, span: Span, depth: int, replies: Replies) -> Stretch:
        shown: list[Shown] = []
        before = span.before
        for _ in range(MAX_ROUNDS):
            missing = span.limit - len(shown)
            # One more than is shown tells whether the page is the last.
            wanted = Span(before, span.after, missing + 1, span.without)
            found = await self._skeleton.read(viewer, wanted, depth + len(shown))
            entries = found.entries[:missing]
            contents = await self._hydrator.tweets([tweet_id for tweet_id, _, _ in entries])
            shown += visible(entries, contents, viewer, replies)
            if len(found.entries) > missing:
                before = entries[-1][0]
            elif found.reached > span.lowest:
                before = found.reached
            else:
                return Stretch(shown, 0)
            if len(shown) == span.limit:
                break
        return Stretch(shown, before)
