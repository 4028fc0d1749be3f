"""Media in SQL: claimed, ready, used by tweets, released.

Whoever claims a key and whoever deletes its object hold the same lock, so that no object is deleted
that somebody has just found to be there.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from services.chassis.stores import Connection, Pool

from .domain import MediaRow

COLUMNS = ", ".join(MediaRow._fields)
_INSERT = f"INSERT INTO media ({COLUMNS}) VALUES ({', '.join(['%s'] * len(MediaRow._fields))})"  # noqa: S608 - our own column names
_READY = f"SELECT {COLUMNS} FROM media WHERE ready_time IS NOT NULL AND media_id = ANY(%s)"  # noqa: S608
_UNUSED = "NOT EXISTS (SELECT FROM media_uses WHERE media_uses.media_id = media.media_id)"
UNUSED_HOURS, PENDING_HOURS = 24, 1
BATCH = 500


class MediaStore:
    """The media of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, row: MediaRow) -> None:
        """Insert a medium whose objects are about to be stored: from now on none is deleted."""
        async with self._pool.connection() as connection, connection.transaction():
            await _lock(connection, row.keys)
            await connection.execute(_INSERT, row)

    async def ready(self, media_id: int) -> None:
        """Note that all its objects are stored."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE media SET ready_time = now() WHERE media_id = %s", (media_id,)
            )

    async def get(self, media_ids: Sequence[int]) -> dict[int, MediaRow]:
        """Those of the media that are ready."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_READY, (list(media_ids),))
            return {row[0]: MediaRow(*row) for row in await cursor.fetchall()}

    async def is_used(self, media_id: int) -> bool:
        """Whether a tweet shows it."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT FROM media_uses WHERE media_id = %s LIMIT 1", (media_id,)
            )
            return await cursor.fetchone() is not None

    async def give_up(self, media_id: int) -> None:
        """Delete a claimed medium whose upload failed."""
        async with self._pool.connection() as connection, connection.transaction():
            await _delete(connection, [media_id])

    async def release_old(self) -> int:
        """Delete media that no tweet came to use in time, a bounded number; how many there were."""
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                f"SELECT media_id FROM media WHERE {_UNUSED}"  # noqa: S608 - our own text
                " AND create_time < now() - %s * interval '1 hour' AND (ready_time IS NULL"
                " OR create_time < now() - %s * interval '1 hour')"
                " ORDER BY create_time LIMIT %s FOR UPDATE SKIP LOCKED",
                (PENDING_HOURS, UNUSED_HOURS, BATCH),
            )
            return await _delete(connection, [row[0] for row in await cursor.fetchall()])

    async def garbage(self) -> list[str]:
        """Keys of objects that may have to go."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT key FROM media_garbage ORDER BY create_time LIMIT %s", (BATCH,)
            )
            return [row[0] for row in await cursor.fetchall()]

    @asynccontextmanager
    async def collecting(self, key: str) -> AsyncIterator[bool]:
        """Hold a key's lock; whether no medium needs its object. Left in peace, it is forgotten."""
        async with self._pool.connection() as connection, connection.transaction():
            await _lock(connection, [key])
            cursor = await connection.execute(
                "SELECT FROM media WHERE thumbnail_keys || key @> ARRAY[%s] LIMIT 1", (key,)
            )
            yield await cursor.fetchone() is None
            await connection.execute("DELETE FROM media_garbage WHERE key = %s", (key,))


async def use(connection: Connection, uses: Sequence[tuple[int, int]]) -> None:
    """Note (medium, tweet) pairs in the caller's transaction; a medium that is gone fails it.

    In the order in which `release` locks media, so that the two cannot wait for each other.
    """
    media, tweets = zip(*sorted(uses), strict=True)
    await connection.execute(
        "INSERT INTO media_uses (media_id, tweet_id) SELECT * FROM"
        " unnest(%s::bigint[], %s::bigint[])",
        (list(media), list(tweets)),
    )


async def release(connection: Connection, tweet_id: int) -> int:
    """Delete, in the caller's transaction, the media that only this tweet used; how many.

    The media are locked first: of two tweets that are deleted at once the later one sees that the
    other one's use is gone.
    """
    cursor = await connection.execute(
        "SELECT media_id FROM media WHERE media_id IN"
        " (SELECT media_id FROM media_uses WHERE tweet_id = %s) ORDER BY media_id FOR UPDATE",
        (tweet_id,),
    )
    media_ids = [row[0] for row in await cursor.fetchall()]
    await connection.execute("DELETE FROM media_uses WHERE tweet_id = %s", (tweet_id,))
    return await _delete(connection, media_ids)


async def _delete(connection: Connection, media_ids: Sequence[int]) -> int:
    """Delete media unless they are used, and note their objects."""
    if not media_ids:
        return 0
    cursor = await connection.execute(
        f"DELETE FROM media WHERE media_id = ANY(%s) AND {_UNUSED}"  # noqa: S608 - our own text
        " RETURNING thumbnail_keys || key",
        (list(media_ids),),
    )
    gone = [row[0] for row in await cursor.fetchall()]
    await connection.execute(
        "INSERT INTO media_garbage (key) SELECT DISTINCT unnest(%s::text[]) ON CONFLICT DO NOTHING",
        ([key for keys in gone for key in keys],),
    )
    return len(gone)


async def _lock(connection: Connection, keys: Iterable[str]) -> None:
    """Lock keys until the transaction ends, in an order that all keep to."""
    numbers = sorted({int(key[:16], 16) - (1 << 63) for key in keys})
    for number in numbers:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
