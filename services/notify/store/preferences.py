"""Preferences in PostgreSQL."""

from collections.abc import Callable, Collection

from services.chassis.stores import Connection, Pool

from ..domain_preferences import DEFAULTS, EmailMode, Preferences


class PreferenceStore:
    """The table. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, user_id: int) -> Preferences:
        """One user's preferences."""
        return (await self.get_many([user_id]))[user_id]

    async def get_many(self, user_ids: Collection[int]) -> dict[int, Preferences]:
        """Each user's preferences; the defaults for whoever has none."""
        async with self._pool.connection() as connection:
            return await load(connection, user_ids)

    async def put(self, user_id: int, preferences: Preferences) -> None:
        """Keep a user's preferences."""
        async with self._pool.connection() as connection:
            await _put(connection, user_id, preferences)

    async def change(
        self, user_id: int, changed: Callable[[Preferences], Preferences]
    ) -> Preferences:
        """Change a user's preferences, one change after the other; raises what `changed` does."""
        async with self._pool.connection() as connection, connection.transaction():
            # There may be no row yet that could be locked.
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('preferences', %s))", (user_id,)
            )
            after = changed((await load(connection, [user_id]))[user_id])
            await _put(connection, user_id, after)
            return after


async def _put(connection: Connection, user_id: int, preferences: Preferences) -> None:
    await connection.execute(
        "INSERT INTO preferences (user_id, kinds, email_mode, quiet_start, quiet_end,"
        " time_zone, only_following) VALUES (%s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (user_id) DO UPDATE SET kinds = excluded.kinds,"
        " email_mode = excluded.email_mode, quiet_start = excluded.quiet_start,"
        " quiet_end = excluded.quiet_end, time_zone = excluded.time_zone,"
        " only_following = excluded.only_following",
        (user_id, list(preferences.kinds), *preferences[1:]),
    )


async def load(connection: Connection, user_ids: Collection[int]) -> dict[int, Preferences]:
    """Each user's preferences, in a transaction that is open already."""
    found = dict.fromkeys(user_ids, DEFAULTS)
    cursor = await connection.execute(
        "SELECT user_id, kinds, email_mode, quiet_start, quiet_end, time_zone, only_following"
        " FROM preferences WHERE user_id = ANY(%s)",
        (list(user_ids),),
    )
    for user_id, kinds, mode, *rest in await cursor.fetchall():
        found[user_id] = Preferences(tuple(kinds), EmailMode(mode), *rest)
    return found
