"""What a moment is, its limits, and how its tweets are kept in order."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.chassis.errors import InvalidFieldError

MAX_TITLE, MAX_DESCRIPTION = 100, 500
MAX_TWEETS, MAX_FIRST = 500, 100
STEP = 1 << 40
"""Between the ranks of neighbours: room for 40 tweets put into the same place."""


class Moment(NamedTuple):
    """A moment, in the order of its columns, and how many tweets it holds."""

    moment_id: int
    user_id: int
    title: str
    description: str
    cover_media_id: int
    create_time: datetime
    update_time: datetime
    tweet_count: int = 0


class Ranked(NamedTuple):
    """A tweet of a moment and what orders it there."""

    rank: int
    tweet_id: int


def clean_title(title: str) -> str:
    """The title in NFC; refused when it is blank or too long."""
    return _clean("title", title, 1, MAX_TITLE)


def clean_description(description: str) -> str:
    """The description in NFC; refused when it is too long."""
    return _clean("description", description, 0, MAX_DESCRIPTION)


def check_size(count: int) -> None:
    """Refuse a moment of too many tweets."""
    if count > MAX_TWEETS:
        problem = f"would make {count} tweets; a moment holds at most {MAX_TWEETS}"
        raise InvalidFieldError(field="tweet_id", problem=problem)


def placed(order: Sequence[Ranked], tweet_id: int, position: int | None) -> list[Ranked]:
    """What changes when a tweet is put at a position of an ordered list, or moved there.

    Without a position it goes to the end, or stays where it is.
    """
    others = [item for item in order if item.tweet_id != tweet_id]
    if position is None:
        if len(others) < len(order):
            return []
        position = len(others)
    if not 0 <= position <= len(others):
        problem = f"is {position}; it must be 0 to {len(others)}"
        raise InvalidFieldError(field="position", problem=problem)
    before = others[position - 1].rank if position else others[0].rank - 2 * STEP if others else 0
    after = others[position].rank if position < len(others) else before + 2 * STEP
    if after - before > 1:
        return [Ranked((before + after) // 2, tweet_id)]
    ids = [item.tweet_id for item in others]
    ids.insert(position, tweet_id)
    return ranked(ids)


def ranked(tweet_ids: Sequence[int]) -> list[Ranked]:
    """Tweets in this order, with room between them."""
    return [Ranked(number * STEP, tweet_id) for number, tweet_id in enumerate(tweet_ids, start=1)]


def _clean(field: str, text: str, minimum: int, maximum: int) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(character) == "Cc" for character in text if character != "\n"):
        raise InvalidFieldError(field=field, problem="holds a control character")
    if not minimum <= len(text) <= maximum:
        problem = f"is {len(text)} characters long; {minimum} to {maximum} are allowed"
        raise InvalidFieldError(field=field, problem=problem)
    return text
