"""What becomes of an attempt to deliver."""

import random
from collections.abc import Sequence
from typing import NamedTuple

MAX_ATTEMPTS = 16
FIRST_SECONDS, LAST_SECONDS = 1.0, 3_600.0


class Sent(NamedTuple):
    """It was taken."""


class Dropped(NamedTuple):
    """Nobody wants it any more."""

    why: str


class Failed(NamedTuple):
    """It was not taken, or not by every device.

    `after` is how long whoever refused wants to be left alone, `reached` the subscriptions that
    have it all the same.
    """

    error: str
    permanent: bool = False
    after: float = 0.0
    reached: Sequence[int] = ()


Outcome = Sent | Dropped | Failed


def pause(attempts: int, after: float = 0.0) -> float:
    """Seconds until the next attempt, so many having failed: doubling, with jitter."""
    seconds = min(FIRST_SECONDS * 2.0 ** (attempts - 1), LAST_SECONDS)
    return max(after, seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


def gives_up(attempts: int, failed: Failed) -> bool:
    """Whether a delivery is dead."""
    return failed.permanent or attempts >= MAX_ATTEMPTS
