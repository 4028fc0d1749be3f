"""Sessions and their refresh tokens in PostgreSQL."""

from typing import NamedTuple

from services.chassis.stores import Connection, Pool

from ..domain import DEFAULT_PLAN, REFRESH_TOKEN_DAYS, User

USER_COLUMNS = ", ".join(f"u.{name}" for name in User._fields)


class Session(NamedTuple):
    """A session with its user and the plan of the application that it was made with."""

    session_id: int
    plan: str
    user: User


class PostgresSessions:
    """The tables `sessions` and `refresh_tokens`; of a token only the hash is known."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, session_id: int, user_id: int, dev_key_id: int, token_hash: bytes
    ) -> None:
        """Open a session with its first refresh token."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO sessions (session_id, user_id, dev_key_id) VALUES (%s, %s, %s)",
                (session_id, user_id, dev_key_id),
            )
            await _add_token(connection, session_id, token_hash)

    async def rotate(self, token_hash: bytes, next_hash: bytes) -> Session | None:
        """Exchange a refresh token; None when it is not valid. A spent one ends its session."""
        async with self._pool.connection() as connection, connection.transaction():
            session = await _lock_session_of(connection, token_hash)
            if session is None:
                return None
            spending = await connection.execute(
                "UPDATE refresh_tokens SET spent = true"
                " WHERE token_hash = %s AND NOT spent AND expire_time > now()",
                (token_hash,),
            )
            if spending.rowcount != 1:
                await connection.execute(
                    "DELETE FROM sessions WHERE session_id = %s", (session.session_id,)
                )
                return None
            await connection.execute(
                "DELETE FROM refresh_tokens WHERE session_id = %s AND expire_time < now()",
                (session.session_id,),
            )
            await _add_token(connection, session.session_id, next_hash)
            return session

    async def delete(self, session_id: int, user_id: int) -> bool:
        """End a user's session; False when there is none."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "DELETE FROM sessions WHERE session_id = %s AND user_id = %s", (session_id, user_id)
            )
            return rows.rowcount == 1


async def _lock_session_of(connection: Connection, token_hash: bytes) -> Session | None:
    """The session of a token, locked: whatever touches its tokens has locked it first."""
    rows = await connection.execute(
        f"""
        SELECT s.session_id, coalesce(k.plan, %s), {USER_COLUMNS}
        FROM sessions s JOIN users u USING (user_id) LEFT JOIN dev_keys k USING (dev_key_id)
        WHERE s.session_id = (SELECT session_id FROM refresh_tokens WHERE token_hash = %s)
        FOR UPDATE OF s
        """,  # noqa: S608 - names from this code
        (DEFAULT_PLAN, token_hash),
    )
    row = await rows.fetchone()
    return Session(row[0], row[1], User(*row[2:])) if row else None


async def _add_token(connection: Connection, session_id: int, token_hash: bytes) -> None:
    await connection.execute(
        "INSERT INTO refresh_tokens (token_hash, session_id, expire_time)"
        " VALUES (%s, %s, now() + %s * interval '1 day')",
        (token_hash, session_id, REFRESH_TOKEN_DAYS),
    )
