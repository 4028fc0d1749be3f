"""The fan-out policy, and which way an author's tweets go under it.

An author is **pushed** (each tweet is written into the followers' lists) or **pulled** (each is
kept in the author's ring, which followers merge in when they read). Pushing is always right, and
only dear; so whoever knows too little pushes, and so do all in both of the states through which an
author crosses.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

STAY_PERCENT = 90
"""Who is pulled stays so down to this part of the threshold, so that an author whose followers come
and go around it does not cross, and have lists mended, time and again."""


class State(StrEnum):
    """Where an author stands who is in the registry; readers merge the rings of all of these."""

    ENTERING = "entering"
    """Pushed and kept in the ring, until every reader knows that there is a ring."""
    PULLED = "pulled"
    """Kept in the ring only."""
    LEAVING = "leaving"
    """Pushed and kept in the ring, until the lists hold what they were not given."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is in force. The defaults are those of a new database."""

    pull_threshold: int = 10_000
    """Authors with more followers than this are pulled."""
    list_length: int = 800
    """Entries of a list."""
    active_seconds: int = 30 * 24 * 3600
    """How long a list lives after it was last read."""
    overrides: Mapping[int, bool] = field(default_factory=dict)
    """Authors for whom the threshold does not count, and whether they are pulled."""
    states: Mapping[int, State] = field(default_factory=dict)
    """The registry: every author whose ring readers merge."""
    pulled: frozenset[int] = frozenset()
    """The same authors as a set, which is the same object as long as they are the same."""
    update_time: datetime | None = None
    """When somebody last changed it; the registry does not count."""
    version: int = 0
    """Grows with every change, those of the registry included."""

    def should_pull(self, user_id: int, followers_count: int) -> bool:
        """Whether an author with so many followers is to be pulled."""
        override = self.overrides.get(user_id)
        if override is not None:
            return override
        if self.is_pulled(user_id):
            return followers_count * 100 >= self.pull_threshold * STAY_PERCENT
        return followers_count > self.pull_threshold

    def is_pulled(self, user_id: int) -> bool:
        """Whether an author is in the registry and not on the way out of it."""
        return self.states.get(user_id) in (State.ENTERING, State.PULLED)

    def pushes(self, user_id: int) -> bool:
        """Whether an author's tweets are written into followers' lists, if only for now."""
        return self.states.get(user_id) is not State.PULLED

    def after(self, previous: "Policy") -> "Policy":
        """The same with `pulled` taken from the one before where it has not changed."""
        if self.pulled == previous.pulled:
            return dataclasses.replace(self, pulled=previous.pulled)
        return self


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator changes; None, and who is not named, stay."""

    pull_threshold: int | None = None
    list_length: int | None = None
    active_seconds: int | None = None
    overrides: Mapping[int, bool | None] = field(default_factory=dict)
    """By author: whether pulled, or None to take the override away."""
