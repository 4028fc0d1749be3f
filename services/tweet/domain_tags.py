"""Rules of photo tags: how users are named, how many they may be, and what it takes."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from .errors import MediaTagLimitError, TaggedUserNotFoundError

MAX_TAGS = 10
FIELD = "media_tags"
_USER_NAME = re.compile(r"[A-Za-z0-9_]{1,15}")


class Tagged(NamedTuple):
    """A user in a tweet's photos, by the name of the time."""

    user_id: int
    user_name: str


class Untagged(NamedTuple):
    """What is left of a tweet's serialized entities without a tag."""

    entities: bytes
    mentioned: bool
    """The text mentions the user, too."""


def media_tags_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Whom a draft tags, each once: user ids in decimal, and `@` with names in lower case.

    Refused when they are too many, or cannot be a user's id or name.
    """
    distinct = tuple(dict.fromkeys(_tag_of(text.strip()) for text in texts if text.strip()))
    if len(distinct) > MAX_TAGS:
        raise MediaTagLimitError(field=FIELD, count=len(distinct), maximum=MAX_TAGS)
    return distinct


def is_name(tag: str) -> bool:
    """Whether a draft's tag is a name, and not an id."""
    return tag.startswith("@")


def _tag_of(text: str) -> str:
    if text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < 1 << 63:
        return str(int(text))
    name = text.removeprefix("@")
    if not _USER_NAME.fullmatch(name) or (name == text and name.isdigit()):
        raise TaggedUserNotFoundError(field=FIELD, user=text[:64])
    return f"@{name.lower()}"
