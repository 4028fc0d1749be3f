"""Rules of following, and of packed ids."""

import struct
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from services.chassis.errors import InvalidFieldError, ServiceError

from .errors import FollowNotFoundError, SelfFollowError, UserNotFoundError

ID_BYTES = 8
MAX_PACKED_IDS = 100_000
MAX_IMPORT_PAIRS = 20_000
MAX_FOLLOWER_QUERIES = 1_000
Pair: TypeAlias = tuple[int, int]
"""Follower and followed."""


class Action(Enum):
    """What may happen to a follow; the value names the event."""

    FOLLOW = "UserFollowed"
    UNFOLLOW = "UserUnfollowed"
    UPDATE = "FollowUpdated"


class Follow(NamedTuple):
    """A follow in force; `follow_id` is a snowflake and so its time."""

    user_id: int
    target_user_id: int
    follow_id: int
    show_retweets: bool = True
    notify: bool = False


class Command(NamedTuple):
    """What somebody wants to happen to a follow; None leaves a flag as it is."""

    action: Action
    user_id: int
    target_user_id: int
    show_retweets: bool | None = None
    notify: bool | None = None


class Change(NamedTuple):
    """What happened to a follow."""

    action: Action
    follow: Follow
    event_id: int


@dataclass(slots=True)
class Settlement:
    """What a sequence of commands comes to."""

    results: list[Follow | ServiceError | None] = field(default_factory=list)
    """For each command the follow as it is then (None: there is none), or why it was refused."""
    changes: list[Change] = field(default_factory=list)
    """What happened, in order."""
    final: dict[Pair, Follow | None] = field(default_factory=dict)
    """The follows that changed, as they are in the end."""
    deltas: dict[int, list[int]] = field(default_factory=dict)
    """By user: by how much following_count and followers_count change."""


def check_not_self(user_id: int, target_user_id: int) -> None:
    """Nobody follows themselves."""
    if user_id == target_user_id:
        raise SelfFollowError(field="target_user_id", user_id=user_id)


def settle(
    commands: Sequence[Command],
    existing: Mapping[Pair, Follow],
    known: Collection[int],
    next_id: Callable[[], int],
) -> Settlement:
    """Carry out commands one after the other on the follows that exist between known users."""
    settlement = Settlement()
    state: dict[Pair, Follow | None] = dict(existing)
    for command in commands:
        result = _carry_out(command, state, known, next_id, settlement)
        settlement.results.append(result)
    return settlement


def _carry_out(
    command: Command,
    state: dict[Pair, Follow | None],
    known: Collection[int],
    next_id: Callable[[], int],
    settlement: Settlement,
) -> Follow | ServiceError | None:
    action, user_id, target_user_id, _, _ = command
    pair = (user_id, target_user_id)
    before = state.get(pair)
    if before is None and action is Action.UNFOLLOW:
        return None
    if before is None and action is Action.UPDATE:
        return FollowNotFoundError(user_id=user_id, target_user_id=target_user_id)
    for one in pair:
        if one not in known:
            return UserNotFoundError(user_id=one)
    event_id = next_id()
    after = _after(command, before, event_id)
    if after == before:
        return before
    state[pair] = settlement.final[pair] = after
    happened = Action.UPDATE if before and after else action
    follow = after or before
    assert follow is not None
    settlement.changes.append(Change(happened, follow, event_id))
    if happened is not Action.UPDATE:
        step = 1 if after else -1
        settlement.deltas.setdefault(user_id, [0, 0])[0] += step
        settlement.deltas.setdefault(target_user_id, [0, 0])[1] += step
    return after


def _after(command: Command, before: Follow | None, follow_id: int) -> Follow | None:
    if command.action is Action.UNFOLLOW:
        return None
    follow = before or Follow(command.user_id, command.target_user_id, follow_id)
    if command.show_retweets is not None:
        follow = follow._replace(show_retweets=command.show_retweets)
    if command.notify is not None:
        follow = follow._replace(notify=command.notify)
    return follow


def page_of_ids(packed: bytes, after: int, limit: int) -> tuple[bytes, int]:
    """At most `limit` of the packed ids above `after`, and where to go on (0 at the end)."""

    def id_at(index: int) -> int:
        return int.from_bytes(packed[ID_BYTES * index : ID_BYTES * (index + 1)], "big")

    start = ID_BYTES * bisect_right(range(len(packed) // ID_BYTES), after, key=id_at)
    page = packed[start : start + ID_BYTES * limit]
    more = start + len(page) < len(packed)
    return page, int.from_bytes(page[-ID_BYTES:], "big") if more else 0


def unpack_pairs(packed: bytes) -> Iterator[Pair]:
    """The pairs of follower and followed in an import's batch."""
    if not packed or len(packed) % (2 * ID_BYTES):
        raise InvalidFieldError(field="pairs", problem="is not 1 or more pairs of 16 bytes each")
    if len(packed) > MAX_IMPORT_PAIRS * 2 * ID_BYTES:
        raise InvalidFieldError(field="pairs", problem=f"holds more than {MAX_IMPORT_PAIRS} pairs")
    yield from struct.iter_unpack(">qq", packed)
