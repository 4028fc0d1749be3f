"""Request keys of messages: the same key makes nothing twice, for a day."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.errors import IdempotencyMismatchError
from services.notify.domain_messages import Member, Message, State
from services.notify.store.conversations import ConversationStore
from services.notify.store.message_keys import KEYS
from services.notify.store.messages import MessageStore

from .rig import Rig, inbox_rig

A, B = 11, 12
MEMBERS = [Member(A, State.MEMBER), Member(B, State.MEMBER)]


@pytest.fixture
async def rig(dsn: str) -> AsyncIterator[Rig]:
    async with inbox_rig(dsn) as made:
        yield made


@pytest.fixture
def conversations(rig: Rig) -> ConversationStore:
    return ConversationStore(rig.pool, rig.next_id)


@pytest.fixture
def messages(rig: Rig) -> MessageStore:
    return MessageStore(rig.pool, rig.inbox, rig.next_id)


async def test_a_key_stands_for_what_was_made_first(
    conversations: ConversationStore, messages: MessageStore
) -> None:
    where = await conversations.create(A, MEMBERS, "ours", True, "made")
    assert await conversations.create(A, MEMBERS, "ours", True, "made") == where
    first = await messages.send(Message(where, 0, A, "hi", 0), "said", [])
    assert await messages.send(Message(where, 0, A, "hi", 0), "said", []) == first
    assert await messages.messages(A, where, 1 << 62, 10) == [first]
    with pytest.raises(IdempotencyMismatchError):
        await messages.send(Message(where, 0, A, "something else", 0), "said", [])


async def test_keys_are_forgotten_after_a_day(
    rig: Rig, conversations: ConversationStore, messages: MessageStore
) -> None:
    where = await conversations.create(A, MEMBERS, "ours", True, "new")
    first = await messages.send(Message(where, 0, A, "hi", 0), "old", [])
    await rig.sql(
        "UPDATE message_keys SET create_time = now() - interval '25 hours'"
        " WHERE request_id = 'old' RETURNING 1"
    )
    assert await KEYS.prune(rig.pool) == 1
    assert await rig.sql("SELECT request_id FROM message_keys") == [("new",)]
    again = await messages.send(Message(where, 0, A, "hi", 0), "old", [])
    assert again is not None
    assert again != first
