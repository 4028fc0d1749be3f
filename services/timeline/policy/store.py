"""The policy and the registry of pulled authors in PostgreSQL, which is the truth about both."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from services.chassis.errors import InvalidFieldError
from services.chassis.stores import Connection, Pool

from .domain import Change, Policy, State

MAX_OVERRIDES = 1_000
KNOWN_SECONDS = 10
"""After this long every process acts on a change that was committed: each polls every second, and
what it had in hand then took it a second or two. (Of one that cannot reach PostgreSQL it is not
known; while the others can, its readers may miss who came to be pulled.)"""
LEASE_SECONDS = 10


class Leaving(NamedTuple):
    """An author who leaves the registry, and of how many followers up to whom lists are mended."""

    user_id: int
    since: datetime
    mended_through: int
    mended_count: int


class PolicyStore:
    """The tables. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, known_version: int = 0) -> Policy | None:
        """The policy, or None where it is still of that version."""
        async with self._pool.connection() as connection:
            return await _load(connection, known_version)

    async def update(self, change: Change) -> Policy:
        """Make a change as a whole; the policy after it."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                """
                UPDATE fanout_policy
                SET version = version + 1, update_time = clock_timestamp(),
                    pull_threshold = coalesce(%s, pull_threshold),
                    list_length = coalesce(%s, list_length),
                    active_seconds = coalesce(%s, active_seconds)
                """,
                (change.pull_threshold, change.list_length, change.active_seconds),
            )
            if change.overrides:
                await _override(connection, change)
            policy = await _load(connection, 0)
            assert policy is not None
            return policy

    async def enter(self, user_ids: Collection[int]) -> None:
        """Put authors into the registry; those who were leaving turn round."""
        async with self._pool.connection() as connection, connection.transaction():
            await _raise_version(connection)
            await connection.execute(
                """
                INSERT INTO pulled_authors AS known (user_id, state, since)
                SELECT user_id, 'entering', clock_timestamp() FROM unnest(%s::bigint[]) AS user_id
                ON CONFLICT (user_id) DO UPDATE
                SET state = excluded.state, since = excluded.since
                WHERE known.state = 'leaving'
                """,
                (list(user_ids),),
            )

    async def leave(self, user_ids: Collection[int]) -> None:
        """Begin to take authors out of the registry."""
        async with self._pool.connection() as connection, connection.transaction():
            await _raise_version(connection)
            await connection.execute(
                "UPDATE pulled_authors SET state = 'leaving', since = clock_timestamp(),"
                " mended_through = 0, mended_count = 0"
                " WHERE user_id = ANY(%s) AND state <> 'leaving'",
                (list(user_ids),),
            )

    async def entered(self) -> list[int]:
        """Authors who have been entering for so long that every reader knows."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT user_id FROM pulled_authors WHERE state = 'entering'"
                " AND since < clock_timestamp() - %s * interval '1 second'",
                (KNOWN_SECONDS,),
            )
            return [user_id for (user_id,) in await rows.fetchall()]

    async def confirm(self, user_ids: Collection[int]) -> None:
        """Stop pushing for these authors, if they are entering still."""
        async with self._pool.connection() as connection, connection.transaction():
            await _raise_version(connection)
            await connection.execute(
                "UPDATE pulled_authors SET state = 'pulled', since = clock_timestamp()"
                " WHERE user_id = ANY(%s) AND state = 'entering'"
                " AND since < clock_timestamp() - %s * interval '1 second'",
                (list(user_ids), KNOWN_SECONDS),
            )

    async def next_leaving(self) -> Leaving | None:
        """Who has been leaving longest, and so long that every worker pushes for them."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT user_id, since, mended_through, mended_count FROM pulled_authors"
                " WHERE state = 'leaving'"
                " AND since < clock_timestamp() - %s * interval '1 second'"
                " ORDER BY since, user_id LIMIT 1",
                (KNOWN_SECONDS,),
            )
            row = await rows.fetchone()
            return Leaving(*row) if row else None

    async def advance(self, leaving: Leaving, mended_through: int, count: int) -> None:
        """Note that the lists of `count` more followers have been mended."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE pulled_authors"
                " SET mended_through = %s, mended_count = mended_count + %s"
                " WHERE user_id = %s AND state = 'leaving' AND since = %s",
                (mended_through, count, leaving.user_id, leaving.since),
            )

    async def remove(self, leaving: Leaving) -> bool:
        """Take an author out of the registry; False where the author has turned round meanwhile."""
        async with self._pool.connection() as connection, connection.transaction():
            await _raise_version(connection)
            removed = await connection.execute(
                "DELETE FROM pulled_authors"
                " WHERE user_id = %s AND state = 'leaving' AND since = %s",
                (leaving.user_id, leaving.since),
            )
            return removed.rowcount == 1

    async def hold_lease(self, holder: str) -> bool:
        """Take or keep the lease on moving authors between the states."""
        async with self._pool.connection() as connection:
            changed = await connection.execute(
                "UPDATE crossing_lease SET holder = %s,"
                " lease_until = clock_timestamp() + %s * interval '1 second'"
                " WHERE holder = %s OR lease_until < clock_timestamp()",
                (holder, LEASE_SECONDS, holder),
            )
            return changed.rowcount == 1

    async def release_lease(self, holder: str) -> None:
        """Let another worker have the lease at once."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE crossing_lease SET lease_until = '-infinity' WHERE holder = %s", (holder,)
            )


async def _raise_version(connection: Connection) -> None:
    """First in each transaction: the row's lock puts the changes in the versions' order."""
    await connection.execute("UPDATE fanout_policy SET version = version + 1")


async def _load(connection: Connection, known_version: int) -> Policy | None:
    rows = await connection.execute(
        """
        SELECT pull_threshold, list_length, active_seconds, update_time, version,
          ARRAY(SELECT user_id FROM fanout_overrides ORDER BY user_id),
          ARRAY(SELECT pulled FROM fanout_overrides ORDER BY user_id),
          ARRAY(SELECT user_id FROM pulled_authors ORDER BY user_id),
          ARRAY(SELECT state FROM pulled_authors ORDER BY user_id)
        FROM fanout_policy WHERE version <> %s
        """,
        (known_version,),
    )
    row = await rows.fetchone()
    if row is None:
        return None
    threshold, length, seconds, update_time, version, fixed, modes, authors, states = row
    return Policy(
        pull_threshold=threshold,
        list_length=length,
        active_seconds=seconds,
        overrides=dict(zip(fixed, modes, strict=True)),
        states=dict(zip(authors, map(State, states), strict=True)),
        pulled=frozenset(authors),
        update_time=update_time,
        version=version,
    )


async def _override(connection: Connection, change: Change) -> None:
    set_now = {user_id: mode for user_id, mode in change.overrides.items() if mode is not None}
    await connection.execute(
        "DELETE FROM fanout_overrides WHERE user_id = ANY(%s)", (list(change.overrides),)
    )
    await connection.execute(
        "INSERT INTO fanout_overrides (user_id, pulled)"
        " SELECT user_id, pulled FROM unnest(%s::bigint[], %s::boolean[]) AS new (user_id, pulled)",
        (list(set_now), list(set_now.values())),
    )
    rows = await connection.execute("SELECT count(*) FROM fanout_overrides")
    (count,) = await rows.fetchone() or (0,)
    if count > MAX_OVERRIDES:
        raise too_many_overrides(count)


def too_many_overrides(count: int) -> InvalidFieldError:
    """The refusal of a policy that would fix too many authors."""
    problem = f"would fix {count} authors; at most {MAX_OVERRIDES} are allowed"
    return InvalidFieldError(field="overrides", problem=problem)
