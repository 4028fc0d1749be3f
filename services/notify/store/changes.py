"""Changes of inboxes in the order in which streams tell them: by (xid, seq), once settled."""

from collections.abc import Collection

from services.chassis.events.log import Position
from services.chassis.stores import Pool

from ..domain_inbox import Kind
from .inbox import Row

SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
LAST_SEQ = 10**17
"""Behind every change of a transaction; a cursor has room for it."""
BEHIND = "(xid, seq) > (%(xid)s::text::xid8, %(seq)s)"


async def settled_position(pool: Pool) -> Position:
    """Every settled change lies before it, every later one behind it."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        )
        row = await cursor.fetchone()
        assert row is not None
        return Position(row[0] - 1, LAST_SEQ)


class InboxChanges:
    """Reads of `entries` by change."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def changed(self, user_ids: Collection[int], after: Position) -> list[int]:
        """Those of the users who have settled changes behind a position."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT u FROM unnest(%(users)s::bigint[]) u WHERE EXISTS (SELECT FROM entries"  # noqa: S608 - our own conditions
                f" WHERE user_id = u AND {BEHIND} AND {SETTLED}) OR EXISTS (SELECT"
                f" FROM read_markers WHERE user_id = u AND {BEHIND} AND {SETTLED})".encode(),
                {"users": list(user_ids), "xid": str(after.xid), "seq": after.seq},
            )
            return [row[0] for row in await cursor.fetchall()]

    async def read(self, user_id: int, after: Position, limit: int) -> list[tuple[Position, Row]]:
        """A user's settled changes behind a position, in order."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT xid::text::bigint, seq, kind, object_id, notification_id, tweet_id,"  # noqa: S608 - our own conditions
                " actor_count, latest_actors, gone FROM entries"
                f" WHERE user_id = %(user)s AND {BEHIND} AND {SETTLED} AND notification_id > 0"
                " ORDER BY xid, seq LIMIT %(limit)s".encode(),
                {"user": user_id, "xid": str(after.xid), "seq": after.seq, "limit": limit},
            )
            return [
                (
                    Position(xid, seq),
                    Row(Kind(kind), object_id, newest, tweet_id, count, tuple(latest), gone),
                )
                for xid, seq, kind, object_id, newest, tweet_id, count, latest, gone in (
                    await cursor.fetchall()
                )
            ]

    async def marked(self, user_id: int, after: Position) -> Position | None:
        """Where the read marker was moved, if that is settled and behind a position."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT xid::text::bigint, seq FROM read_markers"  # noqa: S608 - our own conditions
                f" WHERE user_id = %(user)s AND {BEHIND} AND {SETTLED}".encode(),
                {"user": user_id, "xid": str(after.xid), "seq": after.seq},
            )
            row = await cursor.fetchone()
            return None if row is None else Position(*row)
