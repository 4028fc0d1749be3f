"""Photo tags: they stand in a tweet's entities, and with the mentions of whom they name."""

from collections.abc import Callable
from typing import TypeAlias

from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Pool

from ..domain import Target
from ..domain_tags import Untagged

_ENTITIES = """
SELECT entities FROM tweets WHERE author_id = %b AND tweet_id = %b AND delete_time IS NULL
"""
_CHANGE = "UPDATE tweets SET entities = %b WHERE author_id = %b AND tweet_id = %b"
_FORGET = "DELETE FROM mentions WHERE user_id = %b AND tweet_id = %b"
Strip: TypeAlias = Callable[[bytes, int], Untagged | None]
"""Takes a user's tag out of serialized entities; None where there is none."""
EventOf: TypeAlias = Callable[[Untagged], NewEvent]


class TagStore:
    """Tags in one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def entities(self, target: Target) -> bytes | None:
        """A tweet's serialized entities; None where there is no such tweet any more."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _ENTITIES, (target.author_id, target.tweet_id), binary=True
            )
            row = await cursor.fetchone()
            return None if row is None else bytes(row[0])

    async def remove(self, target: Target, user_id: int, strip: Strip, event_of: EventOf) -> bool:
        """Take a user's tag off, with the event of it; whether there was one.

        The row is locked while it is read: two who take theirs off at once both succeed.
        """
        key = (target.author_id, target.tweet_id)
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(f"{_ENTITIES} FOR UPDATE", key, binary=True)
            row = await cursor.fetchone()
            untagged = None if row is None else strip(bytes(row[0]), user_id)
            if untagged is None:
                return False
            await connection.execute(_CHANGE, (untagged.entities, *key))
            if not untagged.mentioned:
                await connection.execute(_FORGET, (user_id, target.tweet_id))
            await append(connection, [event_of(untagged)])
            return True
