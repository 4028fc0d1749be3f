"""Step 3: what of a stretch of a timeline the viewer is shown.

Whom the viewer follows and who is hidden from the viewer was judged by Graph's visibility engine
(`relations`); a deleted tweet is not found when it is hydrated. One's own tweets are always shown.
"""

from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

from .domain import REPLY, Entry
from .hydrate import Content
from .relations import Relations


class Replies(Enum):
    """Which replies are wanted; the values are those of `include_replies`."""

    FOLLOWING = "following"
    """Those to users whom the viewer follows, to the viewer, and of authors to themselves."""
    ALL = "all"
    NONE = "none"


class Verdict(Enum):
    """Why a tweet is shown or not; the first that applies."""

    SHOWN = "shown"
    GONE = "gone"
    NOT_FOLLOWED = "not_followed"
    HIDDEN = "hidden"
    RETWEETS_HIDDEN = "retweets_hidden"
    REPLY_TO_STRANGER = "reply_to_stranger"


Shown: TypeAlias = tuple[int, int, Content]
"""A tweet on a page: its id, its author's id, its content. A plain tuple, as `Entry` is."""


def excluded_flags(replies: Replies) -> int:
    """Flags of entries that the request does not want; they are dropped before hydrating."""
    return REPLY if replies is Replies.NONE else 0


def visible(
    entries: Sequence[Entry],
    contents: Sequence[Content | None],
    viewer: Relations,
    replies: Replies,
) -> list[Shown]:
    """What the viewer is shown of these entries."""
    shown = viewer.shown
    return [
        (tweet_id, user_id, content)
        for (tweet_id, user_id, _), content in zip(entries, contents, strict=True)
        if content
        and content[0]
        and user_id in shown
        # Most tweets are neither a retweet nor a reply, and then that is all.
        and (
            not (content[1] or content[3])
            or verdict(user_id, content, viewer, replies) is Verdict.SHOWN
        )
    ]


def verdict(user_id: int, content: Content | None, viewer: Relations, replies: Replies) -> Verdict:
    """Whether the viewer is shown this author's tweet."""
    if not content or not content.frame:
        return Verdict.GONE
    if user_id in viewer.hidden or content.original_user_id in viewer.hidden:
        return Verdict.HIDDEN
    if user_id not in viewer.shown:
        return Verdict.NOT_FOLLOWED
    if content.original_user_id and user_id in viewer.hidden_retweeters:
        return Verdict.RETWEETS_HIDDEN
    parent = content.parent_user_id
    if parent and replies is not Replies.ALL:
        known = parent == user_id or parent in viewer.following or parent == viewer.user_id
        if replies is Replies.NONE or not known:
            return Verdict.REPLY_TO_STRANGER
    return Verdict.SHOWN
