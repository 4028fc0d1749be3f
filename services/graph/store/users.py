"""Accounts in PostgreSQL."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from psycopg.errors import UniqueViolation

from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain import Account, ProfileChange, User
from ..domain_follows import Pair
from ..errors import UserNameTakenError, UserNotFoundError
from . import idempotency
from .idempotency import Answered

COLUMNS = ", ".join(User._fields)
Admit: TypeAlias = Callable[[Connection, int], Awaitable[list[Pair]]]
"""Accepts all who wait to follow a user, within a transaction; the follows that were made."""


class Contact(NamedTuple):
    """How a user is reached; the address is empty where none was given."""

    user_id: int
    user_name: str
    display_name: str
    email: str


class Login(NamedTuple):
    """What a password is checked against; an imported user's hash is empty."""

    user: User
    password_hash: str


class PostgresUsers:
    """The table `users` with what changes together with it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, user_id: int) -> User | None:
        """One user by id."""
        found = await self.get_many([user_id])
        return found[0] if found else None

    async def get_many(self, user_ids: Sequence[int]) -> list[User]:
        """Those of the users who exist, in no order."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS} FROM users WHERE user_id = ANY(%s)",  # noqa: S608 - names from this code
                (list(user_ids),),
            )
            return [User(*row) for row in await rows.fetchall()]

    async def contacts(self, user_ids: Sequence[int]) -> list[Contact]:
        """How those of the users who exist are reached, in no order."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT user_id, user_name, display_name, email FROM users WHERE user_id = ANY(%s)",
                (list(user_ids),),
            )
            return [Contact(*row) for row in await rows.fetchall()]

    async def after(self, user_id: int, limit: int) -> list[User]:
        """Users with a greater id, by ascending id."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS} FROM users WHERE user_id > %s ORDER BY user_id LIMIT %s",  # noqa: S608 - names from this code
                (user_id, limit),
            )
            return [User(*row) for row in await rows.fetchall()]

    async def find_login(self, user_name: str) -> Login | None:
        """A user by name, whatever its case, with the password's hash."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT {COLUMNS}, password_hash FROM users WHERE lower(user_name) = lower(%s)",  # noqa: S608 - names from this code
                (user_name,),
            )
            row = await rows.fetchone()
            return Login(User(*row[:-1]), row[-1]) if row else None

    async def answered(self, caller_id: int, request_id: str) -> Answered | None:
        """What was answered to a caller under an idempotency key."""
        return await idempotency.find(self._pool, caller_id, request_id)

    async def create(self, account: Account, event: NewEvent, answer: Answered | None) -> bool:
        """Make an account with its event; False when the idempotency key was used meanwhile."""
        async with self._pool.connection() as connection:
            try:
                async with connection.transaction():
                    if answer and not await idempotency.record(connection, answer):
                        return False
                    await _insert(connection, [account])
                    await append(connection, [event])
            except UniqueViolation:
                raise UserNameTakenError(user_name=account.user.user_name) from None
        return True

    async def update(
        self,
        user_id: int,
        change: ProfileChange,
        event_of: Callable[[User], NewEvent],
        *,
        keep_session: int,
        admit: Admit,
    ) -> tuple[User, list[Pair]]:
        """Change an account; a new password ends all sessions but one.

        An account that is open from now on admits whoever waits; those follows are answered, too.
        """
        accepted: list[Pair] = []
        async with self._pool.connection() as connection:
            try:
                async with connection.transaction():
                    if change.protected is False:
                        accepted = await admit(connection, user_id)
                    user = await _update(connection, user_id, change)
                    if change.password_hash is not None:
                        await connection.execute(
                            "DELETE FROM sessions WHERE user_id = %s AND session_id <> %s",
                            (user_id, keep_session),
                        )
                    await append(connection, [event_of(user)])
            except UniqueViolation:
                raise UserNameTakenError(user_name=change.user_name) from None
        return user, accepted

    async def import_names(
        self, users: Sequence[User], event_of: Callable[[User], NewEvent]
    ) -> tuple[dict[str, int], int]:
        """Make those users whose names are free; ids by lower-case name, and how many were made."""
        # In the order of names, so that two imports cannot wait for each other.
        ordered = sorted(users, key=lambda user: user.user_name.lower())
        async with self._pool.connection() as connection, connection.transaction():
            accounts = [Account(user, email="", password_hash="") for user in ordered]
            made = await _insert(connection, accounts, skip_taken=True)
            if made:
                await append(connection, [event_of(u) for u in ordered if u.user_id in made])
            rows = await connection.execute(
                "SELECT lower(user_name), user_id FROM users WHERE lower(user_name) = ANY(%s)",
                ([user.user_name.lower() for user in ordered],),
            )
            return dict(await rows.fetchall()), len(made)


async def _insert(
    connection: Connection, accounts: Sequence[Account], *, skip_taken: bool = False
) -> set[int]:
    skip = "ON CONFLICT (lower(user_name)) DO NOTHING" if skip_taken else ""
    rows = await connection.execute(
        f"""
        INSERT INTO users (user_id, user_name, display_name, description, protected, email,
          password_hash)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::boolean[],
          %s::text[], %s::text[])
        {skip} RETURNING user_id
        """,  # noqa: S608 - names from this code
        (
            [account.user.user_id for account in accounts],
            [account.user.user_name for account in accounts],
            [account.user.display_name for account in accounts],
            [account.user.description for account in accounts],
            [account.user.protected for account in accounts],
            [account.email for account in accounts],
            [account.password_hash for account in accounts],
        ),
    )
    return {row[0] for row in await rows.fetchall()}


async def _update(connection: Connection, user_id: int, change: ProfileChange) -> User:
    rows = await connection.execute(
        f"""
        UPDATE users
        SET user_name = coalesce(%(user_name)s, user_name),
            display_name = coalesce(%(display_name)s, display_name),
            description = coalesce(%(description)s, description),
            email = coalesce(%(email)s, email),
            protected = coalesce(%(protected)s, protected),
            mention_policy = coalesce(%(mention_policy)s, mention_policy),
            password_hash = coalesce(%(password_hash)s, password_hash)
        WHERE user_id = %(user_id)s
        RETURNING {COLUMNS}
        """,  # noqa: S608 - names from this code
        {**change._asdict(), "user_id": user_id},
    )
    row = await rows.fetchone()
    if row is None:
        raise UserNotFoundError(user_id=user_id)
    return User(*row)
