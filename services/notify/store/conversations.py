"""Conversations in PostgreSQL: who is in them, and how each member sees them."""

from collections.abc import Callable, Sequence

from services.chassis.stores import Pool

from ..domain_messages import Conversation, Member, Message, State
from .message_keys import body_hash, earlier, repoint

_CONVERSATION = """
SELECT c.conversation_id, c.is_group, c.title, me.state, me.listed_id,
  (SELECT array_agg(m.user_id ORDER BY m.user_id) FROM members m
   WHERE m.conversation_id = c.conversation_id AND m.state <> 2),
  (SELECT count(*) FROM messages s WHERE s.conversation_id = c.conversation_id
   AND s.message_id > greatest(me.read_up_to, me.cleared_up_to) AND s.user_id <> me.user_id
   AND NOT EXISTS (SELECT FROM hidden_messages h WHERE h.user_id = me.user_id
     AND h.conversation_id = s.conversation_id AND h.message_id = s.message_id)),
  last.message_id, last.user_id, last.text, last.tweet_id
FROM members me JOIN conversations c USING (conversation_id)
LEFT JOIN LATERAL (
  SELECT s.message_id, s.user_id, s.text, s.tweet_id FROM messages s
  WHERE s.conversation_id = c.conversation_id AND s.message_id > me.cleared_up_to
    AND NOT EXISTS (SELECT FROM hidden_messages h WHERE h.user_id = me.user_id
      AND h.conversation_id = s.conversation_id AND h.message_id = s.message_id)
  ORDER BY s.message_id DESC LIMIT 1) last ON true
"""


class ConversationStore:
    """The tables `conversations` and `members`. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool, next_id: Callable[[], int]) -> None:
        self._pool = pool
        self._next_id = next_id

    async def create(
        self, caller: int, members: Sequence[Member], title: str, group: bool, request_id: str
    ) -> int:
        """Make a conversation, or find the one of two; its id."""
        ids = sorted(member.user_id for member in members)
        body = body_hash("create", *ids, title, group)
        async with self._pool.connection() as connection, connection.transaction():
            made = self._next_id()
            if known := await earlier(connection, caller, request_id, body, made, 0):
                return known[0]
            pair = (0, 0) if group else (ids[0], ids[1])
            cursor = await connection.execute(
                "INSERT INTO conversations"
                " (conversation_id, is_group, low_user_id, high_user_id, title)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (low_user_id, high_user_id)"
                " WHERE NOT is_group DO NOTHING",
                (made, group, *pair, title),
            )
            if not cursor.rowcount:
                cursor = await connection.execute(
                    "SELECT conversation_id FROM conversations"
                    " WHERE low_user_id = %s AND high_user_id = %s AND NOT is_group",
                    pair,
                )
                found = await cursor.fetchone()
                assert found is not None
                await repoint(connection, caller, request_id, found[0])
                return int(found[0])
            await connection.execute(
                "INSERT INTO members (conversation_id, user_id, state, listed_id)"
                " SELECT %s, u, s, %s FROM unnest(%s::bigint[], %s::smallint[]) AS t(u, s)",
                (made, made, [m.user_id for m in members], [m.state.value for m in members]),
            )
            return made

    async def members(self, caller: int, conversation_id: int) -> list[Member]:
        """Who is in a conversation; nobody where the caller is not."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT user_id, state FROM members WHERE conversation_id = %s AND state <> 2",
                (conversation_id,),
            )
            found = [Member(user, State(state)) for user, state in await cursor.fetchall()]
        return found if any(member.user_id == caller for member in found) else []

    async def get(self, caller: int, conversation_id: int) -> Conversation | None:
        """A conversation as the caller sees it; None where the caller is not in it."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"{_CONVERSATION} WHERE me.user_id = %s AND me.conversation_id = %s"
                " AND me.state <> 2".encode(),
                (caller, conversation_id),
            )
            row = await cursor.fetchone()
            return None if row is None else _conversation(row)

    async def page(self, caller: int, state: State, before: int, limit: int) -> list[Conversation]:
        """The caller's conversations, the latest said first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"{_CONVERSATION} WHERE me.user_id = %s AND me.state = %s AND me.listed_id < %s"
                " AND me.listed_id > 0 ORDER BY me.listed_id DESC LIMIT %s".encode(),
                (caller, state.value, before, limit),
            )
            return [_conversation(row) for row in await cursor.fetchall()]

    async def accept(self, caller: int, conversation_id: int) -> None:
        """Let a request be an ordinary conversation."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE members SET state = 0"
                " WHERE conversation_id = %s AND user_id = %s AND state = 1",
                (conversation_id, caller),
            )

    async def leave(self, caller: int, conversation_id: int) -> None:
        """Leave a group; take a conversation of two off the list until something new is said."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE members m SET state = CASE WHEN c.is_group THEN 2 ELSE m.state END,"
                " listed_id = 0, cleared_up_to = c.last_message_id,"
                " read_up_to = greatest(m.read_up_to, c.last_message_id)"
                " FROM conversations c WHERE m.conversation_id = %s AND m.user_id = %s"
                " AND c.conversation_id = m.conversation_id",
                (conversation_id, caller),
            )

    async def unread_count(self, caller: int) -> int:
        """In how many conversations something is unread; requests do not count."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM members me WHERE me.user_id = %(me)s AND me.state = 0"
                " AND EXISTS (SELECT FROM messages s WHERE s.conversation_id = me.conversation_id"
                "  AND s.message_id > greatest(me.read_up_to, me.cleared_up_to)"
                "  AND s.user_id <> %(me)s AND NOT EXISTS (SELECT FROM hidden_messages h"
                "   WHERE h.user_id = %(me)s AND h.conversation_id = s.conversation_id"
                "   AND h.message_id = s.message_id))",
                {"me": caller},
            )
            row = await cursor.fetchone()
            return int(row[0]) if row else 0


def _conversation(row: Sequence[object]) -> Conversation:
    number, group, title, state, listed, members, unread, *last = row
    newest = Message(number, *last) if last[0] is not None else None  # type: ignore[arg-type]
    return Conversation(
        number, group, title, State(state), listed, tuple(members), unread, newest,  # type: ignore[arg-type]
    )  # fmt: skip
