"""Registered applications in PostgreSQL; of a key only the hash is known."""

from typing import NamedTuple

from services.chassis.stores import Pool

from . import idempotency
from .idempotency import Answered


class DevKey(NamedTuple):
    """A registered application."""

    dev_key_id: int
    user_id: int
    name: str
    key_prefix: str
    plan: str


COLUMNS = ", ".join(DevKey._fields)


class PostgresDevKeys:
    """The table `dev_keys`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def answered(self, caller_id: int, request_id: str) -> Answered | None:
        """What was answered to a caller under an idempotency key."""
        return await idempotency.find(self._pool, caller_id, request_id)

    async def create(self, dev_key: DevKey, key_hash: bytes, answer: Answered | None) -> bool:
        """Register an application; False when the idempotency key was used meanwhile."""
        async with self._pool.connection() as connection, connection.transaction():
            if answer and not await idempotency.record(connection, answer):
                return False
            await connection.execute(
                f"INSERT INTO dev_keys ({COLUMNS}, key_hash) VALUES (%s, %s, %s, %s, %s, %s)",  # noqa: S608 - names from this code
                (*dev_key, key_hash),
            )
        return True

    async def list_of(self, user_id: int, before: int, limit: int) -> list[DevKey]:
        """A user's applications before one of them, newest first."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS} FROM dev_keys WHERE user_id = %s AND dev_key_id < %s"  # noqa: S608 - names from this code
                " ORDER BY dev_key_id DESC LIMIT %s",
                (user_id, before, limit),
            )
            return [DevKey(*row) for row in await rows.fetchall()]

    async def delete(self, dev_key_id: int, user_id: int) -> bool:
        """Withdraw a user's key; False when there is none."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "DELETE FROM dev_keys WHERE dev_key_id = %s AND user_id = %s", (dev_key_id, user_id)
            )
            return rows.rowcount == 1

    async def get(self, dev_key_id: int, user_id: int) -> DevKey | None:
        """One of a user's applications."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS} FROM dev_keys WHERE dev_key_id = %s AND user_id = %s",  # noqa: S608 - names from this code
                (dev_key_id, user_id),
            )
            row = await rows.fetchone()
            return DevKey(*row) if row else None

    async def resolve(self, key_hash: bytes) -> DevKey | None:
        """The application behind a key's hash."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS} FROM dev_keys WHERE key_hash = %s",  # noqa: S608 - names from this code
                (key_hash,),
            )
            row = await rows.fetchone()
            return DevKey(*row) if row else None
