"""Direct messages in PostgreSQL: written under the conversation's lock, in one strict order."""

from collections.abc import Callable, Sequence

from services.chassis.stores import Connection, Pool

from ..domain_inbox import Change, Key, Kind
from ..domain_messages import Message
from .inbox import InboxStore
from .message_keys import body_hash, earlier

CHANNEL = "aviary_messages"


class MessageStore:
    """The table `messages`, and who has read or hidden what. Raises psycopg's errors."""

    def __init__(self, pool: Pool, inbox: InboxStore, next_id: Callable[[], int]) -> None:
        self._pool = pool
        self._inbox = inbox
        self._next_id = next_id

    async def send(self, message: Message, request_id: str, told: Sequence[int]) -> Message | None:
        """Write a message, with its notifications; an earlier one's where the key was used.

        None where the sender is not in the conversation any more.
        """
        body = body_hash("send", *message)
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "SELECT last_message_id FROM conversations WHERE conversation_id = %s FOR UPDATE",
                (message.conversation_id,),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            sent = message._replace(message_id=max(self._next_id(), row[0] + 1))
            known = await earlier(
                connection, message.user_id, request_id, body, sent.conversation_id,
                sent.message_id,
            )  # fmt: skip
            if known:
                return await _message(connection, *known)
            cursor = await connection.execute(
                "UPDATE members SET state = 0, read_up_to = %(id)s, listed_id = %(id)s"
                " WHERE conversation_id = %(in)s AND user_id = %(by)s AND state <> 2",
                {"id": sent.message_id, "in": sent.conversation_id, "by": sent.user_id},
            )
            if not cursor.rowcount:
                return None
            await _write(connection, sent)
            changes = [
                Change(Key(user, Kind.MESSAGE, sent.conversation_id), sent.user_id, sent.message_id)
                for user in told
            ]
            await self._inbox.record_in(connection, changes)
        return sent

    async def messages(
        self, caller: int, conversation_id: int, before: int, limit: int
    ) -> list[Message]:
        """What the caller sees of a conversation, newest first, below an id."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT s.conversation_id, s.message_id, s.user_id, s.text, s.tweet_id"
                " FROM members me JOIN messages s USING (conversation_id)"
                " WHERE me.conversation_id = %(in)s AND me.user_id = %(me)s AND me.state <> 2"
                " AND s.message_id < %(before)s AND s.message_id > me.cleared_up_to"
                " AND NOT EXISTS (SELECT FROM hidden_messages h WHERE h.user_id = %(me)s"
                "  AND h.conversation_id = %(in)s AND h.message_id = s.message_id)"
                " ORDER BY s.message_id DESC LIMIT %(limit)s",
                {"in": conversation_id, "me": caller, "before": before, "limit": limit},
            )
            return [Message(*row) for row in await cursor.fetchall()]

    async def hide(self, caller: int, conversation_id: int, message_id: int) -> bool:
        """Take a message out of the caller's view; whether there is such a message."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "WITH there AS (SELECT message_id FROM messages"
                "  WHERE conversation_id = %(in)s AND message_id = %(id)s),"
                " hidden AS (INSERT INTO hidden_messages (user_id, conversation_id, message_id)"
                "  SELECT %(me)s, %(in)s, message_id FROM there ON CONFLICT DO NOTHING)"
                " SELECT count(*) FROM there",
                {"me": caller, "in": conversation_id, "id": message_id},
            )
            row = await cursor.fetchone()
            return bool(row and row[0])

    async def mark_read(self, caller: int, conversation_id: int, message_id: int) -> bool:
        """Move the caller's marker forward, never back; whether there is such a message."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE members SET read_up_to = greatest(read_up_to, %(id)s)"
                " WHERE conversation_id = %(in)s AND user_id = %(me)s AND EXISTS (SELECT"
                "  FROM messages WHERE conversation_id = %(in)s AND message_id = %(id)s)",
                {"me": caller, "in": conversation_id, "id": message_id},
            )
            return bool(cursor.rowcount)


async def _message(connection: Connection, conversation_id: int, message_id: int) -> Message | None:
    cursor = await connection.execute(
        "SELECT conversation_id, message_id, user_id, text, tweet_id FROM messages"
        " WHERE conversation_id = %s AND message_id = %s",
        (conversation_id, message_id),
    )
    row = await cursor.fetchone()
    return None if row is None else Message(*row)


async def _write(connection: Connection, sent: Message) -> None:
    await connection.execute(
        "INSERT INTO messages (conversation_id, message_id, user_id, text, tweet_id)"
        " VALUES (%s, %s, %s, %s, %s)",
        sent,
    )
    await connection.execute(
        "UPDATE conversations SET last_message_id = %s WHERE conversation_id = %s",
        (sent.message_id, sent.conversation_id),
    )
    await connection.execute(
        "UPDATE members SET listed_id = %s WHERE conversation_id = %s AND state <> 2",
        (sent.message_id, sent.conversation_id),
    )
    connection.wake(CHANNEL)
