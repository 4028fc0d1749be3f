"""Follows, follow requests and blocks between two users; and packed ids."""

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from services.chassis.errors import InvalidFieldError

from .errors import SelfFollowError

ID_BYTES = 8
MAX_PACKED_IDS = 100_000
MAX_IMPORT_PAIRS = 20_000
MAX_FOLLOWER_QUERIES = 1_000
Pair: TypeAlias = tuple[int, int]
"""Follower and followed, or who blocks and who is blocked."""


class Action(Enum):
    """What somebody may want to happen between two users."""

    FOLLOW = auto()
    UNFOLLOW = auto()
    UPDATE = auto()
    ACCEPT = auto()
    REJECT = auto()
    BLOCK = auto()
    UNBLOCK = auto()


class Happening(Enum):
    """What may have happened; the value names the event."""

    FOLLOWED = "UserFollowed"
    UNFOLLOWED = "UserUnfollowed"
    UPDATED = "FollowUpdated"
    REQUESTED = "FollowRequested"
    BLOCKED = "UserBlocked"
    UNBLOCKED = "UserUnblocked"
    MUTED = "UserMuted"
    UNMUTED = "UserUnmuted"


class Follow(NamedTuple):
    """A follow in force, or one that is requested; `follow_id` is a snowflake and so its time."""

    user_id: int
    target_user_id: int
    follow_id: int
    show_retweets: bool = True
    notify: bool = False
    requested: bool = False

    @property
    def pair(self) -> Pair:
        """Follower and followed."""
        return self.user_id, self.target_user_id


class Command(NamedTuple):
    """What somebody wants to happen; None leaves a flag as it is.

    Of a request that is accepted or rejected `user_id` is who asked.
    """

    action: Action
    user_id: int
    target_user_id: int
    show_retweets: bool | None = None
    notify: bool | None = None
    traceparent: str = ""
    """The trace of the call that wants it."""

    @property
    def pair(self) -> Pair:
        """Who acts, and on whom."""
        return self.user_id, self.target_user_id

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The follows that may change: of a block both directions."""
        if self.action is Action.BLOCK:
            return self.pair, (self.target_user_id, self.user_id)
        return (self.pair,)


class Change(NamedTuple):
    """What happened between two users; the flags are the follow's, where there is one."""

    happening: Happening
    user_id: int
    target_user_id: int
    event_id: int
    show_retweets: bool = True
    notify: bool = False
    traceparent: str = ""


class Standing(NamedTuple):
    """How things stand between the users of some commands."""

    protected: Mapping[int, bool]
    """Every one of them who exists, and whether that account is protected."""
    follows: Mapping[Pair, Follow]
    """Follows and requests among the commands' pairs."""
    blocks: Collection[Pair]
    """Blocks among the commands' pairs, in both directions."""


def check_not_self(user_id: int, target_user_id: int) -> None:
    """Nobody follows, blocks or mutes themselves."""
    if user_id == target_user_id:
        raise SelfFollowError(field="target_user_id", user_id=user_id)


def page_of_ids(packed: bytes, after: int, limit: int) -> tuple[bytes, int]:
    """At most `limit` of the packed ids above `after`, and where to go on (0 at the end)."""

    def id_at(index: int) -> int:
        return int.from_bytes(packed[ID_BYTES * index : ID_BYTES * (index + 1)], "big")

    start = ID_BYTES * bisect_right(range(len(packed) // ID_BYTES), after, key=id_at)
    page = packed[start : start + ID_BYTES * limit]
    more = start + len(page) < len(packed)
    return page, int.from_bytes(page[-ID_BYTES:], "big") if more else 0


def pack_ids(ids: Collection[int]) -> bytes:
    """Ids of 8 bytes each, big-endian, joined, ascending."""
    return struct.pack(f">{len(ids)}q", *sorted(ids))


def unpack_pairs(packed: bytes) -> Iterator[Pair]:
    """The pairs of follower and followed in an import's batch."""
    if not packed or len(packed) % (2 * ID_BYTES):
        raise InvalidFieldError(field="pairs", problem="is not 1 or more pairs of 16 bytes each")
    if len(packed) > MAX_IMPORT_PAIRS * 2 * ID_BYTES:
        raise InvalidFieldError(field="pairs", problem=f"holds more than {MAX_IMPORT_PAIRS} pairs")
    yield from struct.iter_unpack(">qq", packed)
