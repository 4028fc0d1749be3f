"""Follows in PostgreSQL, with exact counts and their events."""

from collections.abc import Callable, Sequence
from itertools import chain

from services.chassis.errors import ServiceError
from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain_follows import Change, Command, Follow, Pair, Settlement, settle


class PostgresFollows:
    """The table `follows`; commands are carried out many at a time."""

    def __init__(
        self, pool: Pool, next_id: Callable[[], int], event_of: Callable[[Change], NewEvent]
    ) -> None:
        self._pool = pool
        self._next_id = next_id
        self._event_of = event_of

    async def carry_out(self, commands: Sequence[Command], *, all_or_none: bool) -> Settlement:
        """Carry out commands in one transaction: follows, both counts and events.

        All users concerned are locked first, in the order of their ids: transactions that share a
        user take turns, and no two can wait for each other.
        """
        pairs = list({command[1:3] for command in commands})
        async with self._pool.connection() as connection, connection.transaction():
            known = await _lock_users(connection, set(chain.from_iterable(pairs)))
            existing = await _read(connection, pairs)
            settlement = settle(commands, existing, known, self._next_id)
            if all_or_none:
                _raise_first(settlement)
            if settlement.changes:
                await _write(connection, settlement)
                await append(connection, [self._event_of(c) for c in settlement.changes])
        return settlement

    async def followers(self, user_id: int, before: int, limit: int) -> tuple[list[int], list[int]]:
        """Followers of a user before a follow, latest first: follow ids and user ids."""
        return await self._list("user_id", "target_user_id", user_id, before, limit)

    async def following(self, user_id: int, before: int, limit: int) -> tuple[list[int], list[int]]:
        """Whom a user follows before a follow, latest first: follow ids and user ids."""
        return await self._list("target_user_id", "user_id", user_id, before, limit)

    async def _list(
        self, listed: str, owner: str, user_id: int, before: int, limit: int
    ) -> tuple[list[int], list[int]]:
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                f"SELECT follow_id, {listed} FROM follows WHERE {owner} = %s AND follow_id < %s"  # noqa: S608 - names from this code
                " ORDER BY follow_id DESC LIMIT %s",
                (user_id, before, limit),
            )
            found = await rows.fetchall()
            return [row[0] for row in found], [row[1] for row in found]


async def _lock_users(connection: Connection, user_ids: set[int]) -> set[int]:
    rows = await connection.execute(
        "SELECT user_id FROM users WHERE user_id = ANY(%s) ORDER BY user_id FOR NO KEY UPDATE",
        (list(user_ids),),
    )
    return {row[0] for row in await rows.fetchall()}


async def _read(connection: Connection, pairs: Sequence[Pair]) -> dict[Pair, Follow]:
    rows = await connection.execute(
        """
        SELECT f.user_id, f.target_user_id, f.follow_id, f.show_retweets, f.notify
        FROM unnest(%s::bigint[], %s::bigint[]) AS p(user_id, target_user_id)
        JOIN follows f USING (user_id, target_user_id)
        """,
        ([pair[0] for pair in pairs], [pair[1] for pair in pairs]),
    )
    return {(row[0], row[1]): Follow(*row) for row in await rows.fetchall()}


def _raise_first(settlement: Settlement) -> None:
    for result in settlement.results:
        if isinstance(result, ServiceError):
            raise result


async def _write(connection: Connection, settlement: Settlement) -> None:
    ended = [pair for pair, follow in settlement.final.items() if follow is None]
    if ended:
        await connection.execute(
            """
            DELETE FROM follows f
            USING unnest(%s::bigint[], %s::bigint[]) AS p(user_id, target_user_id)
            WHERE f.user_id = p.user_id AND f.target_user_id = p.target_user_id
            """,
            ([pair[0] for pair in ended], [pair[1] for pair in ended]),
        )
    kept = [follow for follow in settlement.final.values() if follow is not None]
    if kept:
        await connection.execute(
            """
            INSERT INTO follows (user_id, target_user_id, follow_id, show_retweets, notify)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[],
              %s::boolean[])
            ON CONFLICT (user_id, target_user_id) DO UPDATE
            SET follow_id = excluded.follow_id, show_retweets = excluded.show_retweets,
                notify = excluded.notify
            """,
            [list(column) for column in zip(*kept, strict=True)],
        )
    await _count(connection, settlement.deltas)


async def _count(connection: Connection, deltas: dict[int, list[int]]) -> None:
    if deltas:
        await connection.execute(
            """
            UPDATE users u
            SET following_count = following_count + d.following,
                followers_count = followers_count + d.followers
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
              AS d(user_id, following, followers)
            WHERE u.user_id = d.user_id
            """,
            (
                list(deltas),
                [following for following, _ in deltas.values()],
                [followers for _, followers in deltas.values()],
            ),
        )
