"""Follows, requests and blocks in PostgreSQL, with exact counts and their events."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias

from services.chassis.errors import ServiceError
from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain_follows import Action, Change, Command, Pair
from ..domain_settling import Settlement, settle
from ..errors import BlockedError
from .standing import lock_users, read_standing, write_settlement

ACCEPTED_AT_ONCE = 5_000
"""Requests settled in one piece when an account is opened: more would hold up the event loop."""
Listed: TypeAlias = tuple[list[int], list[int]]
"""Positions in a list and the user ids at them."""


class PostgresFollows:
    """The tables `follows`, `follow_requests`, `blocks`; commands are carried out many at a time.

    All users concerned are locked before anything is read, so a follow and a block of the same two
    users take turns, and the follow sees the block or is ended by it.
    """

    def __init__(
        self, pool: Pool, next_id: Callable[[], int], event_of: Callable[[Change], NewEvent]
    ) -> None:
        self._pool = pool
        self._next_id = next_id
        self._event_of = event_of

    async def carry_out(self, commands: Sequence[Command], *, all_or_none: bool) -> Settlement:
        """Carry out commands in one transaction: follows, requests, blocks, counts and events.

        Of all or none a follow that a block forbids is excepted: it is left out.
        """
        pairs = pairs_of(commands)
        async with self._pool.connection() as connection, connection.transaction():
            protected = await lock_users(connection, set(chain.from_iterable(pairs)))
            return await self._settle(
                connection, commands, pairs, protected, all_or_none=all_or_none
            )

    async def accept_all(self, connection: Connection, user_id: int) -> list[Pair]:
        """Accept whoever waits to follow a user, within a transaction that has locked nobody yet.

        Answers the follows that were made. Raises psycopg's LockNotAvailable when somebody asked at
        the last moment and is busy still: then the transaction is to be tried again.
        """
        waiting = await _requesters(connection, user_id)
        protected = await lock_users(connection, {user_id, *waiting})
        # Nobody can ask any more: that takes this user's lock, which is ours now.
        if late := set(await _requesters(connection, user_id)) - set(waiting):
            # Out of the order of ids, so it must not wait.
            rows = await connection.execute(
                "SELECT user_id, protected FROM users WHERE user_id = ANY(%s)"
                " FOR NO KEY UPDATE NOWAIT",
                (list(late),),
            )
            protected |= dict(await rows.fetchall())
            waiting += late
        accepted: list[Pair] = []
        for start in range(0, len(waiting), ACCEPTED_AT_ONCE):
            part = waiting[start : start + ACCEPTED_AT_ONCE]
            # Who was turned away in between waits no more: that command alone is refused.
            commands = [Command(Action.ACCEPT, requester, user_id) for requester in part]
            settlement = await self._settle(
                connection, commands, pairs_of(commands), protected, all_or_none=False
            )
            accepted += settlement.final
        return accepted

    async def followers(self, user_id: int, before: int, limit: int) -> Listed:
        """Followers of a user before a follow, latest first: follow ids and user ids."""
        return await self._list(
            """
            SELECT follow_id, user_id FROM follows WHERE target_user_id = %s AND follow_id < %s
            ORDER BY follow_id DESC LIMIT %s
            """,
            (user_id, before, limit),
        )

    async def following(self, user_id: int, before: int, limit: int) -> Listed:
        """Whom a user follows before a follow, latest first: follow ids and user ids."""
        return await self._list(
            """
            SELECT follow_id, target_user_id FROM follows WHERE user_id = %s AND follow_id < %s
            ORDER BY follow_id DESC LIMIT %s
            """,
            (user_id, before, limit),
        )

    async def requesters(self, user_id: int, after: int, limit: int) -> Listed:
        """Who waits to follow a user after a request, oldest first: request ids and user ids."""
        return await self._list(
            """
            SELECT request_id, user_id FROM follow_requests
            WHERE target_user_id = %s AND request_id > %s
            ORDER BY request_id LIMIT %s
            """,
            (user_id, after, limit),
        )

    async def blocked(self, user_id: int, before: int, limit: int) -> Listed:
        """Whom a user blocked before a block, latest first: block ids and user ids."""
        return await self._list(
            """
            SELECT block_id, target_user_id FROM blocks WHERE user_id = %s AND block_id < %s
            ORDER BY block_id DESC LIMIT %s
            """,
            (user_id, before, limit),
        )

    async def _settle(
        self,
        connection: Connection,
        commands: Sequence[Command],
        pairs: Sequence[Pair],
        protected: dict[int, bool],
        *,
        all_or_none: bool,
    ) -> Settlement:
        standing = await read_standing(connection, pairs, protected)
        settlement = settle(commands, standing, self._next_id)
        if all_or_none:
            _raise_first(settlement)
        if settlement.final or settlement.blocks:
            await write_settlement(connection, standing, settlement)
        if settlement.changes:
            await append(connection, [self._event_of(change) for change in settlement.changes])
        return settlement

    async def _list(self, statement: str, values: tuple[int, int, int]) -> Listed:
        async with self._pool.connection() as connection:
            rows = await connection.execute(statement.encode(), values)
            found = await rows.fetchall()
            return [row[0] for row in found], [row[1] for row in found]


def pairs_of(commands: Sequence[Command]) -> list[Pair]:
    """The follows that commands may change, each once."""
    return list({pair for command in commands for pair in command.pairs})


async def _requesters(connection: Connection, user_id: int) -> list[int]:
    rows = await connection.execute(
        "SELECT user_id FROM follow_requests WHERE target_user_id = %s ORDER BY request_id",
        (user_id,),
    )
    return [row[0] for row in await rows.fetchall()]


def _raise_first(settlement: Settlement) -> None:
    for result in settlement.results:
        if isinstance(result, ServiceError) and not isinstance(result, BlockedError):
            raise result
