"""Moments in one database; what changes one waits for whoever else does."""

from collections.abc import Callable, Sequence

from services.chassis.stores import Connection, Pool

from ..domain_moments import Moment, Ranked
from .keys import MOMENTS

_FIELDS = "moment_id, user_id, title, description, cover_media_id, create_time, update_time"
_SHOWN = (
    f"SELECT {_FIELDS}, (SELECT count(*) FROM moment_tweets t"  # noqa: S608 - our own columns
    " WHERE t.moment_id = m.moment_id) FROM moments m"
)
_PUT = """
INSERT INTO moment_tweets (moment_id, rank, tweet_id)
SELECT %b, * FROM unnest(%b::bigint[], %b::bigint[])
ON CONFLICT (moment_id, tweet_id) DO UPDATE SET rank = excluded.rank
"""
Arrange = Callable[[Sequence[Ranked]], Sequence[Ranked]]
"""What of an ordered list is to change."""


class MomentStore:
    """Reads and writes moments."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, moment: Moment, tweets: Sequence[Ranked], request_id: str, body_hash: bytes
    ) -> int:
        """Store a moment; its id, or an earlier one's where the key was used."""
        async with self._pool.connection() as connection, connection.transaction():
            if request_id:
                key, made = (moment.user_id, request_id), (moment.moment_id,)
                earlier = await MOMENTS.claim(connection, key, body_hash, made)
                if earlier:
                    return int(earlier[0])
            await connection.execute(
                "INSERT INTO moments (moment_id, user_id, title, description, cover_media_id)"
                " VALUES (%b, %b, %b, %b, %b)",
                moment[:5],
            )
            await _put(connection, moment.moment_id, tweets)
            return moment.moment_id

    async def get(self, moment_id: int) -> Moment | None:
        """A moment; None where there is none."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"{_SHOWN} WHERE moment_id = %b".encode(),
                (moment_id,),
            )
            row = await cursor.fetchone()
            return None if row is None else Moment(*row)

    async def of_user(self, user_id: int, before: int, limit: int) -> list[Moment]:
        """A user's newest moments with a smaller id."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"{_SHOWN} WHERE user_id = %b AND moment_id < %b"
                " ORDER BY moment_id DESC LIMIT %b".encode(),
                (user_id, before, limit),
            )
            return [Moment(*row) for row in await cursor.fetchall()]

    async def tweets(self, moment_id: int, after: Ranked, limit: int) -> list[Ranked]:
        """A moment's tweets behind one of them, wherever that one is by now."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT rank, tweet_id FROM moment_tweets WHERE moment_id = %(moment)s"
                " AND rank > coalesce((SELECT rank FROM moment_tweets"
                "   WHERE moment_id = %(moment)s AND tweet_id = %(tweet)s), %(rank)s)"
                " ORDER BY rank LIMIT %(limit)s",
                {
                    "moment": moment_id,
                    "tweet": after.tweet_id,
                    "rank": after.rank,
                    "limit": limit,
                },
            )
            return [Ranked(*row) for row in await cursor.fetchall()]

    async def update(
        self, moment_id: int, title: str | None, description: str | None, cover: int | None
    ) -> None:
        """Change what is not None."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE moments SET title = coalesce(%b, title),"
                " description = coalesce(%b, description),"
                " cover_media_id = coalesce(%b, cover_media_id), update_time = now()"
                " WHERE moment_id = %b",
                (title, description, cover, moment_id),
            )

    async def arrange(self, moment_id: int, arrange: Arrange) -> bool:
        """Change a moment's list; whether there is such a moment."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "UPDATE moments SET update_time = now() WHERE moment_id = %b", (moment_id,)
            )
            if not cursor.rowcount:
                return False
            cursor = await connection.execute(
                "SELECT rank, tweet_id FROM moment_tweets WHERE moment_id = %b ORDER BY rank",
                (moment_id,),
            )
            order = [Ranked(*row) for row in await cursor.fetchall()]
            await _put(connection, moment_id, arrange(order))
            return True

    async def remove(self, moment_id: int, tweet_id: int) -> None:
        """Take a tweet out."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "DELETE FROM moment_tweets WHERE moment_id = %b AND tweet_id = %b",
                (moment_id, tweet_id),
            )
            if cursor.rowcount:
                await connection.execute(
                    "UPDATE moments SET update_time = now() WHERE moment_id = %b", (moment_id,)
                )

    async def delete(self, moment_id: int) -> None:
        """Delete a moment."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM moments WHERE moment_id = %b", (moment_id,))


async def _put(connection: Connection, moment_id: int, tweets: Sequence[Ranked]) -> None:
    if tweets:
        ranks, ids = zip(*tweets, strict=True)
        await connection.execute(_PUT, (moment_id, list(ranks), list(ids)))
