"""Conversations and messages as the contract has them, and as a stream tells them."""

from collections.abc import Sequence
from functools import partial

from aviary.notify.v1 import message_pb2
from services.chassis.events.log import Position
from services.chassis.json_rendering import render
from services.chassis.snowflake import unix_ms_of
from services.chassis.stores import Pool

from .domain_messages import Conversation, Message, State
from .live import Source, Told
from .store.changes import settled_position
from .store.message_changes import MessageChanges
from .store.messages import CHANNEL


def message_of(message: Message) -> message_pb2.Message:
    """A message."""
    found = message_pb2.Message(**message._asdict())
    found.create_time.FromMilliseconds(unix_ms_of(message.message_id))
    return found


def conversation_of(conversation: Conversation) -> message_pb2.Conversation:
    """A conversation as one of its members sees it."""
    found = message_pb2.Conversation(
        conversation_id=conversation.conversation_id,
        member_user_ids=conversation.members,
        title=conversation.title,
        group=conversation.is_group,
        request=conversation.state is State.ASKED,
        unread_count=conversation.unread,
    )
    if conversation.last is not None:
        found.last_message.CopyFrom(message_of(conversation.last))
    newest = conversation.last.message_id if conversation.last else conversation.conversation_id
    found.create_time.FromMilliseconds(unix_ms_of(conversation.conversation_id))
    found.update_time.FromMilliseconds(unix_ms_of(newest))
    return found


def message_source(pool: Pool) -> Source:
    """What is said to users, for a hub."""
    changes = MessageChanges(pool)

    async def read(user_id: int, after: Position, limit: int) -> Sequence[Told]:
        return [
            Told(b"message", render(message_of(message)), position)
            for position, message in await changes.read(user_id, after, limit)
        ]

    return Source(CHANNEL, partial(settled_position, pool), changes.changed, read)
