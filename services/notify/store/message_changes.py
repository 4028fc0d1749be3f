"""Messages in the order in which streams tell them: by (xid, seq), once settled."""

from collections.abc import Collection

from services.chassis.events.log import Position
from services.chassis.stores import Pool

from ..domain_messages import Message
from .changes import BEHIND, SETTLED


class MessageChanges:
    """Reads of `messages` by change, of all conversations of a user."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def changed(self, user_ids: Collection[int], after: Position) -> list[int]:
        """Those of the users to whom something was said behind a position."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT DISTINCT me.user_id FROM members me WHERE me.user_id = ANY(%(users)s)"  # noqa: S608 - our own conditions
                " AND me.state = 0 AND EXISTS (SELECT FROM messages s"
                " WHERE s.conversation_id = me.conversation_id"
                f" AND {BEHIND} AND {SETTLED})".encode(),
                {"users": list(user_ids), "xid": str(after.xid), "seq": after.seq},
            )
            return [row[0] for row in await cursor.fetchall()]

    async def read(
        self, user_id: int, after: Position, limit: int
    ) -> list[tuple[Position, Message]]:
        """What was said to a user behind a position, in order; one's own messages, too."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT found.* FROM members me CROSS JOIN LATERAL ("  # noqa: S608 - our own conditions
                " SELECT s.xid::text::bigint AS xid, s.seq, s.conversation_id, s.message_id,"
                "  s.user_id, s.text, s.tweet_id FROM messages s"
                f" WHERE s.conversation_id = me.conversation_id AND {BEHIND} AND {SETTLED}"
                " ORDER BY s.xid, s.seq LIMIT %(limit)s) found"
                " WHERE me.user_id = %(user)s AND me.state = 0"
                " ORDER BY found.xid, found.seq LIMIT %(limit)s".encode(),
                {"user": user_id, "xid": str(after.xid), "seq": after.seq, "limit": limit},
            )
            return [
                (Position(xid, seq), Message(*message))
                for xid, seq, *message in await cursor.fetchall()
            ]
