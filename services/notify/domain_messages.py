"""What a conversation and a message may be."""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from .errors import (
    ConversationMembersError,
    MessageEmptyError,
    MessageInvalidError,
    MessageTooLongError,
)

MAX_MEMBERS, MIN_MEMBERS = 50, 2
MAX_TEXT, MAX_TITLE = 10_000, 100
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class State(IntEnum):
    """How a user is in a conversation."""

    MEMBER = 0
    ASKED = 1
    LEFT = 2


class Message(NamedTuple):
    """One message."""

    conversation_id: int
    message_id: int
    user_id: int
    text: str
    tweet_id: int


class Member(NamedTuple):
    """One user in a conversation."""

    user_id: int
    state: State


class Conversation(NamedTuple):
    """A conversation as one of its members sees it."""

    conversation_id: int
    is_group: bool
    title: str
    state: State
    listed_id: int
    members: tuple[int, ...]
    unread: int
    last: Message | None


def checked_members(caller: int, user_ids: Sequence[int]) -> list[int]:
    """All who shall be in a conversation, the caller first; refused when too few or too many."""
    members = list(dict.fromkeys([caller, *user_ids]))
    if not MIN_MEMBERS <= len(members) <= MAX_MEMBERS:
        raise ConversationMembersError(
            field="user_ids", count=len(members), minimum=MIN_MEMBERS, maximum=MAX_MEMBERS
        )
    return members


def checked_title(title: str) -> str:
    """A title in NFC."""
    title = unicodedata.normalize("NFC", title).strip()
    if len(title) > MAX_TITLE:
        raise MessageInvalidError(field="title", problem=f"is longer than {MAX_TITLE} characters")
    if _CONTROL.search(title) or "\n" in title:
        raise MessageInvalidError(field="title", problem="holds a control character")
    return title


def checked_text(text: str, tweet_id: int) -> str:
    """A message's text in NFC; it may be empty where a tweet is shared."""
    text = unicodedata.normalize("NFC", text)
    if len(text) > MAX_TEXT:
        raise MessageTooLongError(field="text", length=len(text), maximum=MAX_TEXT)
    if control := _CONTROL.search(text):
        problem = f"holds the control character U+{ord(control[0]):04X}"
        raise MessageInvalidError(field="text", problem=problem)
    if not text.strip() and not tweet_id:
        raise MessageEmptyError(field="text", minimum=1)
    return text
