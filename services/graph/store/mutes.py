"""Mutes in PostgreSQL, with their events."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain_follows import Change, Happening
from ..errors import UserNotFoundError
from ..visibility import Surface
from .standing import lock_users

IN_FORCE = "(expire_time IS NULL OR expire_time > now())"


class Mute(NamedTuple):
    """One user's mute of another; `mute_id` is a snowflake and so its time."""

    user_id: int
    target_user_id: int
    mute_id: int
    surfaces: frozenset[Surface]
    """Where; empty for everywhere that mutes act."""
    expire_time: datetime | None


class PostgresMutes:
    """The table `mutes`; a mute that has expired is none. The owner's row is locked for writing."""

    def __init__(
        self, pool: Pool, next_id: Callable[[], int], event_of: Callable[[Change], NewEvent]
    ) -> None:
        self._pool = pool
        self._next_id = next_id
        self._event_of = event_of

    async def put(self, mute: Mute) -> Mute:
        """Set or replace a mute; one that says the same stays as it is and is answered."""
        async with self._pool.connection() as connection, connection.transaction():
            await _check_users(connection, mute)
            before = await _find(connection, mute.user_id, mute.target_user_id)
            if before and before[3:] == mute[3:]:
                return before
            await connection.execute(
                """
                INSERT INTO mutes (user_id, target_user_id, mute_id, surfaces, expire_time)
                VALUES (%s, %s, %s, %s, %s)
                ON CONFLICT (user_id, target_user_id) DO UPDATE
                SET mute_id = excluded.mute_id, surfaces = excluded.surfaces,
                    expire_time = excluded.expire_time
                """,
                (*mute[:3], bits_of(mute.surfaces), mute.expire_time),
            )
            await append(connection, [self._event_of(Change(Happening.MUTED, *mute[:3]))])
            return mute

    async def end(self, user_id: int, target_user_id: int) -> None:
        """Lift a mute, if there is one."""
        async with self._pool.connection() as connection, connection.transaction():
            await lock_users(connection, [user_id])
            if await _find(connection, user_id, target_user_id):
                await connection.execute(
                    "DELETE FROM mutes WHERE user_id = %s AND target_user_id = %s",
                    (user_id, target_user_id),
                )
                lifted = Change(Happening.UNMUTED, user_id, target_user_id, self._next_id())
                await append(connection, [self._event_of(lifted)])

    async def list_of(self, user_id: int, before: int, limit: int) -> list[Mute]:
        """A user's mutes in force before one of them, latest first."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"""
                SELECT user_id, target_user_id, mute_id, surfaces, expire_time FROM mutes
                WHERE user_id = %s AND mute_id < %s AND {IN_FORCE}
                ORDER BY mute_id DESC LIMIT %s
                """,  # noqa: S608 - names from this code
                (user_id, before, limit),
            )
            return [_mute_of(*row) for row in await rows.fetchall()]


def bits_of(surfaces: Iterable[Surface]) -> int:
    """Surfaces as a number: one bit each."""
    return sum(1 << surface for surface in surfaces)


def surfaces_of(bits: int) -> frozenset[Surface]:
    """The surfaces whose bits are set."""
    return frozenset(surface for surface in Surface if bits >> surface & 1)


async def _check_users(connection: Connection, mute: Mute) -> None:
    known = await lock_users(connection, [mute.user_id])
    rows = await connection.execute(
        "SELECT user_id FROM users WHERE user_id = %s", (mute.target_user_id,)
    )
    known |= dict.fromkeys([row[0] for row in await rows.fetchall()], False)
    for one in mute[:2]:
        if one not in known:
            raise UserNotFoundError(user_id=one)


async def _find(connection: Connection, user_id: int, target_user_id: int) -> Mute | None:
    rows = await connection.execute(
        f"""
        SELECT user_id, target_user_id, mute_id, surfaces, expire_time FROM mutes
        WHERE user_id = %s AND target_user_id = %s AND {IN_FORCE}
        """,  # noqa: S608 - names from this code
        (user_id, target_user_id),
    )
    row = await rows.fetchone()
    return _mute_of(*row) if row else None


def _mute_of(
    user_id: int, target_user_id: int, mute_id: int, bits: int, expire_time: datetime | None
) -> Mute:
    expire_time = expire_time and expire_time.astimezone(UTC)
    return Mute(user_id, target_user_id, mute_id, surfaces_of(bits), expire_time)
