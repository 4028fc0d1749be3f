"""Step 3: what of a stretch of a timeline the viewer is shown.

Deleted tweets are not found when they are hydrated, one's own are always shown, and whose tweets
are there was decided when the list was written.
"""

from collections.abc import Sequence
from typing import TypeAlias

from .domain import REPLY, Entry
from .hydrate import Content

Shown: TypeAlias = tuple[int, bytes, int]
"""A tweet on a page: its author's id, its frame, and the original's author in a retweet or 0."""


def excluded_flags(*, include_replies: bool) -> int:
    """Flags of entries that the request does not want; they are dropped before hydrating."""
    return 0 if include_replies else REPLY


def visible(entries: Sequence[Entry], contents: Sequence[Content | None]) -> list[Shown]:
    """What is still there of these entries."""
    return [
        (entry[1], content[0], content[1])
        for entry, content in zip(entries, contents, strict=True)
        if content and content[0]
    ]
