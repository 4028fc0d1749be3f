"""What a tweet is: its text, its place, what is kept of it, and the limits of all that.

The published length rule: the status in NFC, one per code point, every URL counting 23.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from services.chassis.errors import InvalidFieldError

from .errors import (
    LocationInvalidError,
    StatusEmptyError,
    StatusTooLongError,
)

MAX_LENGTH = 280
URL_LENGTH = 23
MAX_LATEST = 20
REPLY, RETWEET, QUOTE, MEDIA, SENSITIVE, BACKFILLED = 1, 2, 4, 8, 16, 32
"""Bits of a tweet's flags, the meta byte of a timeline entry."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NUMBER = r"\s*([+-]?(?:\d{1,3})(?:\.\d{1,20})?)\s*"
_PLACE = re.compile(f"{_NUMBER},{_NUMBER}", re.ASCII)


class Place(NamedTuple):
    """A point on the earth, in degrees."""

    longitude: float
    latitude: float


class Target(NamedTuple):
    """The tweet that another one answers or quotes."""

    tweet_id: int
    author_id: int
    conversation_id: int


class Counts(NamedTuple):
    """How many favourites, retweets, replies and quotes a tweet has, or by how many they change."""

    favorite_count: int = 0
    retweet_count: int = 0
    reply_count: int = 0
    quote_count: int = 0


NO_COUNTS = Counts()


class TweetRow(NamedTuple):
    """Everything that is kept of a tweet, in the order of its columns, and how it is counted."""

    tweet_id: int
    author_id: int
    status: str
    entities: bytes
    in_reply_to_tweet_id: int = 0
    in_reply_to_user_id: int = 0
    quote_tweet_id: int = 0
    quote_user_id: int = 0
    conversation_id: int = 0
    longitude: float | None = None
    latitude: float | None = None
    author_longitude: float | None = None
    author_latitude: float | None = None
    flags: int = 0
    media: bytes = b""
    original_tweet_id: int = 0
    original_user_id: int = 0
    counts: Counts = NO_COUNTS


class Span(NamedTuple):
    """Part of a list: at most `limit` tweets with `after` < id < `before`, newest first."""

    before: int
    after: int
    limit: int


class Kinds(NamedTuple):
    """Which of an author's tweets a list holds."""

    replies: bool = True
    retweets: bool = True
    only_media: bool = False

    @property
    def flags(self) -> tuple[int, int]:
        """A mask, and what a tweet's flags must be under it."""
        mask = 0 if self.replies else REPLY
        if self.only_media:
            # Media of its own: what a retweet shows belongs to the original.
            return mask | RETWEET | MEDIA, MEDIA
        return (mask if self.retweets else mask | RETWEET), 0


def clean_status(text: str, field: str = "status", *, optional: bool = False) -> str:
    """The status in NFC; refused when nothing of it shows, or when it holds control characters.

    Where it is `optional`, because media stand in for it, one of which nothing shows is empty.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if control := _CONTROL.search(text):
        problem = f"holds the control character U+{ord(control[0]):04X}"
        raise InvalidFieldError(field=field, problem=problem)
    if not any(_shows(character) for character in text):
        if optional:
            return ""
        raise StatusEmptyError(field=field, minimum=1)
    return text


def check_length(
    status: str, urls: Iterable[tuple[int, int]], field: str = "status", maximum: int = MAX_LENGTH
) -> None:
    """Refuse a clean status that is too long, given the ranges of its URLs."""
    length = len(status) + sum(URL_LENGTH - (end - start) for start, end in urls)
    if length > maximum:
        raise StatusTooLongError(field=field, length=length, maximum=maximum)


def place_of(longitude: float, latitude: float, field: str) -> Place:
    """A checked place; not-a-number is out of range too."""
    if not -180 <= longitude <= 180:
        raise LocationInvalidError(field=f"{field}.longitude", minimum=-180, maximum=180)
    if not -90 <= latitude <= 90:
        raise LocationInvalidError(field=f"{field}.latitude", minimum=-90, maximum=90)
    return Place(longitude, latitude)


def place_of_text(text: str, field: str) -> Place:
    """The place that `longitude,latitude` means."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise unreadable_place(field)
    return place_of(float(match[1]), float(match[2]), field)


def unreadable_place(field: str) -> LocationInvalidError:
    """The error for what has not the form of a place."""
    return LocationInvalidError(field=field, minimum="-180,-90", maximum="180,90")


def _shows(character: str) -> bool:
    """Whether a character leaves a mark: no space, no format character, no Hangul filler."""
    if character.isspace() or character in "\u115f\u1160\u3164\uffa0\u2800":
        return False
    return character.isascii() or unicodedata.category(character) not in ("Cf", "Mn", "Me")
