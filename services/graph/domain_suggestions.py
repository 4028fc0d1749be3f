"""Rules of suggestions: what makes a user worth to follow, said in words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_RANKED = 200
"""Suggestions that are ranked; 200 ids of 8 bytes are a token of 2 KB."""
MAX_VIA = 3


class Candidate(NamedTuple):
    """A user who may be suggested, and what speaks for it."""

    user_id: int
    followers_count: int
    via_count: int
    """How many of those whom the caller follows follow this user."""
    via_ids: Sequence[int]
    """Up to three of them, those first whom the caller followed last."""


def reason_of(candidate: Candidate, names: Mapping[int, str]) -> str:
    """Why a user is suggested, for people; `names` are those of `via_ids`."""
    via = [names[user_id] for user_id in candidate.via_ids if user_id in names]
    others = candidate.via_count - 1
    if not via:
        count = candidate.followers_count
        return f"popular: followed by {count:,} user{'' if count == 1 else 's'}"
    if others == 0:
        return f"followed by {via[0]}"
    if others == 1 and len(via) > 1:
        return f"followed by {via[0]} and {via[1]}"
    return f"followed by {via[0]} and {others:,} other{'' if others == 1 else 's'} you follow"
