"""Request keys of conversations and messages; `message_id` is 0 where a conversation was made."""

import hashlib

from services.chassis.request_keys import RequestKeys
from services.chassis.stores import Connection

KEYS = RequestKeys("message_keys", ("user_id", "request_id"), ("conversation_id", "message_id"))


def body_hash(*parts: object) -> bytes:
    """What is remembered of a request, to know it again."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


async def earlier(
    connection: Connection, user_id: int, request_id: str, body: bytes, *made: int
) -> tuple[int, ...] | None:
    """What was written under a key before; else the key is taken for what is being made."""
    if not request_id:
        return None
    return await KEYS.claim(connection, (user_id, request_id), body, made)


async def repoint(
    connection: Connection, user_id: int, request_id: str, conversation_id: int
) -> None:
    """Let a key speak of the conversation of two that was there already."""
    await connection.execute(
        "UPDATE message_keys SET conversation_id = %s WHERE user_id = %s AND request_id = %s",
        (conversation_id, user_id, request_id),
    )
