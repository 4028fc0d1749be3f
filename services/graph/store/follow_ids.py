"""Follows as packed ids, read from PostgreSQL: 8 bytes each, big-endian, joined, ascending."""

from collections.abc import Sequence
from typing import NamedTuple

from services.chassis.stores import Pool

MAX_WHOLE_LIST = 50_000
"""Lists up to this length are read, and cached, whole; longer ones page by page."""


class FollowerIds(NamedTuple):
    """Followers of one user; `packed` is None where they are too many to be read whole."""

    followers_count: int
    packed: bytes | None


class PostgresFollowIds:
    """Reads of `follows` for fan-out and rebuilding."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def whole_lists(self, user_ids: Sequence[int]) -> dict[int, FollowerIds]:
        """Followers of many users, with one statement and so of one moment."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                SELECT u.user_id, u.followers_count, f.packed
                FROM users u
                CROSS JOIN LATERAL (
                  SELECT string_agg(int8send(user_id), ''::bytea ORDER BY user_id) AS packed
                  FROM follows
                  WHERE target_user_id = u.user_id AND u.followers_count <= %s) f
                WHERE u.user_id = ANY(%s)
                """,
                (MAX_WHOLE_LIST, list(user_ids)),
            )
            return {
                user_id: FollowerIds(count, packed if packed or count else b"")
                for user_id, count, packed in await rows.fetchall()
            }

    async def notified(self, user_ids: Sequence[int]) -> dict[int, bytes]:
        """The followers of each user who asked to be told of the user's tweets."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT target_user_id,"
                " string_agg(int8send(user_id), ''::bytea ORDER BY user_id)"
                " FROM follows WHERE target_user_id = ANY(%s) AND notify GROUP BY target_user_id",
                (list(user_ids),),
            )
            return dict(await rows.fetchall())

    async def followers_page(self, user_id: int, after: int, limit: int) -> bytes:
        """Followers of one user above an id."""
        return await self._page(
            """
            SELECT string_agg(int8send(user_id), ''::bytea ORDER BY user_id)
            FROM (SELECT user_id FROM follows WHERE target_user_id = %s AND user_id > %s
                  ORDER BY user_id LIMIT %s) page
            """,
            (user_id, after, limit),
        )

    async def following_page(
        self, user_id: int, after: int, limit: int, minimum_followers_count: int
    ) -> bytes:
        """Whom one user follows above an id; only those with at least so many followers."""
        popular = (
            "JOIN users u ON u.user_id = f.target_user_id AND u.followers_count >= %(minimum)s"
            if minimum_followers_count
            else ""
        )
        return await self._page(
            f"""
            SELECT string_agg(int8send(target_user_id), ''::bytea ORDER BY target_user_id)
            FROM (SELECT f.target_user_id FROM follows f {popular}
                  WHERE f.user_id = %(user_id)s AND f.target_user_id > %(after)s
                  ORDER BY f.target_user_id LIMIT %(limit)s) page
            """,  # noqa: S608 - names from this code
            {
                "user_id": user_id,
                "after": after,
                "limit": limit,
                "minimum": minimum_followers_count,
            },
        )

    async def _page(self, statement: str, values: Sequence[int] | dict[str, int]) -> bytes:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement.encode(), values)).fetchone()
            return (row[0] if row else None) or b""
