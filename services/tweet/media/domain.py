"""Rules of media: what is kept of one, and which ones a tweet may show."""

from collections.abc import Sequence
from typing import NamedTuple

from services.chassis.errors import InvalidFieldError

from ..errors import MediaLimitError, MediaNotFoundError
from .domain_formats import Kind

MAX_ALT_TEXT = 1_000
MAX_MEDIA = 4


class MediaRow(NamedTuple):
    """What is kept of a medium, in the order of its columns; thumbnails are smallest first."""

    media_id: int
    user_id: int
    kind: int
    content_type: str
    key: str
    size_bytes: int
    width: int
    height: int
    duration_ms: int
    alt_text: str
    thumbnail_keys: list[str]
    thumbnail_widths: list[int]
    thumbnail_heights: list[int]

    @property
    def keys(self) -> list[str]:
        """Every object that it needs."""
        return [self.key, *self.thumbnail_keys]


def check_alt_text(text: str) -> str:
    """The description of a medium; refused when it is too long."""
    if len(text) > MAX_ALT_TEXT:
        problem = f"is {len(text)} characters long; at most {MAX_ALT_TEXT} are allowed"
        raise InvalidFieldError(field="alt_text", problem=problem)
    return text


def media_ids_of(texts: Sequence[str]) -> tuple[int, ...]:
    """The ids that a draft names, each once; refused when they are too many or no ids."""
    distinct = list(dict.fromkeys(texts))
    if len(distinct) > MAX_MEDIA:
        raise MediaLimitError(field="media_ids", maximum=MAX_MEDIA)
    for text in distinct:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 63):
            raise MediaNotFoundError(field="media_ids", media_id=text[:64])
    return tuple(map(int, distinct))


def check_together(rows: Sequence[MediaRow]) -> None:
    """Refuse media that one tweet cannot have: a video or a GIF stands alone."""
    if len(rows) > 1 and any(row.kind != Kind.PHOTO for row in rows):
        raise MediaLimitError(field="media_ids", maximum=1)
