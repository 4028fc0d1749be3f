"""What trends: windows, baselines, the score, and which of two overlapping phrases stands.

Counted are different users, never tweets, so that nobody can make a trend alone. docs/trends.md
tells it to people.
"""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

HOUR_MS = 3_600_000
WINDOW_MS = HOUR_MS
"""Whoever said it within the last hour counts."""
DAYS = 7
"""Days before that a baseline looks at."""
PRIOR = 10.0
"""Users that every baseline is taken to vary by: what is rare needs more than a handful."""
MIN_SCORE = 1.5
MAX_TRENDS = 50
COVERED = 0.6
"""A phrase of which a longer one has so much of the volume is that longer one, cut off."""


class Kind(IntEnum):
    """What trends; the contract's numbers."""

    HASHTAG = 1
    TOPIC = 2
    SEARCH = 3

    __hash__ = int.__hash__  # Enum's own is written in Python, and terms are keys everywhere


MIN_USERS = {Kind.HASHTAG: 5, Kind.TOPIC: 8, Kind.SEARCH: 10}
"""Fewer different users are no trend; a search of fewer is also nobody else's business."""


class Term(NamedTuple):
    """Something that can trend; `key` is its normalized form."""

    kind: Kind
    key: str


class Counted(NamedTuple):
    """How many different users a term had in the window, and how many are usual."""

    term: Term
    volume: int
    baseline: float

    @property
    def score(self) -> float:
        """The excess over the baseline, in units of how much such a number varies anyway."""
        return (self.volume - self.baseline) / math.sqrt(self.baseline + PRIOR)


def baseline(now_ms: int, volumes: Mapping[int, int], recorded: Iterable[int]) -> float:
    """The usual volume of a window that ends now.

    `volumes` is a term's volume by hour (Unix hours, those without it left out), `recorded` the
    hours that are known at all. It is the mean over the days before, at the same time of day; where
    none of those is known, the mean of the known hours of the last day; else nothing is usual.
    """
    known = set(recorded)
    hour, into = divmod(now_ms, HOUR_MS)
    part = into / HOUR_MS
    days = []
    for day in range(1, DAYS + 1):
        late, early = hour - 24 * day, hour - 24 * day - 1
        if late in known and early in known:
            days.append(part * volumes.get(late, 0) + (1 - part) * volumes.get(early, 0))
    if not days:
        days = [float(volumes.get(h, 0)) for h in range(hour - 24, hour) if h in known]
    return math.fsum(days) / len(days) if days else 0.0


def trending(counted: Iterable[Counted], limit: int = MAX_TRENDS) -> list[Counted]:
    """Those that trend, the highest score first, at most `limit` of each kind."""
    ranked = sorted(
        (c for c in counted if c.volume >= MIN_USERS[c.term.kind] and c.score >= MIN_SCORE),
        key=lambda c: (-c.score, c.term.key),
    )
    standing = _standing([c for c in ranked if c.term.kind is Kind.TOPIC][: 4 * limit])
    found: list[Counted] = []
    room = dict.fromkeys(Kind, limit)
    for each in ranked:
        kind = each.term.kind
        if room[kind] and (kind is not Kind.TOPIC or each.term.key in standing):
            room[kind] -= 1
            found.append(each)
    return found


def _standing(topics: Sequence[Counted]) -> set[str]:
    """The phrases that are not just a longer one, cut off, nor a longer one that adds little."""
    gone: set[str] = set()
    for long in sorted(topics, key=lambda c: -len(c.term.key)):
        for short in topics:
            inside = f" {short.term.key} " in f" {long.term.key} " and short is not long
            if inside and long.term.key not in gone:
                covers = long.volume >= COVERED * short.volume
                gone.add(short.term.key if covers else long.term.key)
    return {topic.term.key for topic in topics} - gone


def is_sampled(user_id: int, level: int) -> bool:
    """Whether a user is in the sample of a level: 1 in 2 ** level, always the same users.

    So a term of a million users needs no more room than one of some thousands, counts can go down
    again, and counting somebody twice changes nothing (Gibbons, "Distinct sampling", VLDB 2001).
    """
    mask = (1 << level) - 1
    return not level or zlib.crc32(user_id.to_bytes(8, "big")) & mask == 0
