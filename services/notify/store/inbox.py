"""Inboxes in PostgreSQL: changes come in batches, pages and badges are one statement each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from services.chassis.stores import Connection, Pool

from ..domain_inbox import (
    NEW,
    Change,
    Entry,
    Key,
    Kind,
    apply,
    becomes_unread,
)
from ..domain_preferences import due_times
from .entries import (
    forget_tweets,
    keep,
    known_occurrences,
    locked,
    of_living_tweets,
    settled,
    write,
)
from .preferences import load

CHANNEL = "aviary_inbox"
GONE_DAYS = 8


class Row(NamedTuple):
    """An entry as a page shows it."""

    kind: Kind
    object_id: int
    notification_id: int
    tweet_id: int
    actor_count: int
    latest_actors: tuple[int, ...]
    gone: bool


class Badge(NamedTuple):
    """How many entries are unread, and the newest that is read."""

    unread: int
    read_up_to: int


class InboxStore:
    """The tables. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool, next_id: Callable[[], int]) -> None:
        self._pool = pool
        self._next_id = next_id

    async def record(self, changes: Sequence[Change], gone: Collection[int] = ()) -> None:
        """Record changes, and tweets that are gone, as a whole; with the deliveries that follow."""
        async with self._pool.connection() as connection, connection.transaction():
            await self.record_in(connection, changes, gone)

    async def record_in(
        self, connection: Connection, changes: Sequence[Change], gone: Collection[int] = ()
    ) -> None:
        """The same in a transaction that is open already."""
        if gone:
            await forget_tweets(connection, gone)
        changes = await of_living_tweets(connection, changes)
        if changes:
            keys = sorted({change.key for change in changes})
            entries = await locked(connection, keys, {c.key for c in changes if c.alive})
            known = await known_occurrences(connection, changes)
            applied = apply(changes, known, entries)
            await keep(connection, applied.occurrences)
            after = await settled(connection, applied)
            await write(connection, after)
            await self._queue(connection, entries, after)
        if changes or gone:
            connection.wake(CHANNEL)

    async def withdraw_actor(self, user_id: int, actor_id: int, event_id: int) -> None:
        """Take back all that somebody did: the user has blocked or muted them."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT kind, object_id FROM occurrences"
                " WHERE user_id = %s AND actor_id = %s AND alive",
                (user_id, actor_id),
            )
            rows = await cursor.fetchall()
        changes = [
            Change(Key(user_id, Kind(kind), object_id), actor_id, event_id, alive=False)
            for kind, object_id in rows
        ]
        if changes:
            await self.record(changes)

    async def owners(self, tweet_ids: Collection[int]) -> dict[int, int]:
        """Whose tweets those are of which retweets were told, by tweet."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT DISTINCT tweet_id, user_id FROM entries WHERE tweet_id = ANY(%s)"
                " AND kind = %s",
                (list(tweet_ids), Kind.RETWEET.value),
            )
            return dict(await cursor.fetchall())

    async def page(self, user_id: int, before: int, limit: int) -> list[Row]:
        """Entries older than a notification, newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT kind, object_id, notification_id, tweet_id, actor_count, latest_actors,"
                " gone FROM entries"
                " WHERE user_id = %s AND notification_id < %s AND notification_id > 0"
                " ORDER BY notification_id DESC LIMIT %s",
                (user_id, before, limit),
            )
            return [_row(row) for row in await cursor.fetchall()]

    async def entries(self, user_id: int, keys: Sequence[tuple[Kind, int]]) -> list[Row]:
        """Some entries of a user, by kind and object, newest first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT e.kind, e.object_id, e.notification_id, e.tweet_id, e.actor_count,"
                " e.latest_actors, e.gone"
                " FROM unnest(%s::smallint[], %s::bigint[]) AS k(kind, object_id)"
                " JOIN entries e ON e.user_id = %s AND e.kind = k.kind"
                " AND e.object_id = k.object_id ORDER BY e.notification_id DESC",
                ([kind.value for kind, _ in keys], [object_id for _, object_id in keys], user_id),
            )
            return [_row(row) for row in await cursor.fetchall()]

    async def badge(self, user_id: int) -> Badge:
        """How many entries are unread."""
        async with self._pool.connection() as connection:
            return await _badge(connection, user_id)

    async def mark_read(self, user_id: int, notification_id: int) -> Badge | None:
        """Move the marker forward, never back; None where nothing of the inbox is so new."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO read_markers AS m (user_id, read_up_to)"
                " SELECT %(user)s, %(id)s WHERE EXISTS (SELECT FROM entries"
                "  WHERE user_id = %(user)s AND notification_id >= %(id)s)"
                " ON CONFLICT (user_id) DO UPDATE"
                " SET read_up_to = greatest(m.read_up_to, excluded.read_up_to),"
                " xid = pg_current_xact_id(), seq = nextval('change_seq')",
                {"user": user_id, "id": notification_id},
            )
            if not cursor.rowcount:
                return None
            connection.wake(CHANNEL)
            return await _badge(connection, user_id)

    async def forget_old(self) -> None:
        """Delete what the log cannot speak of any more."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM gone_tweets WHERE create_time < now() - %s * interval '1 day'",
                (GONE_DAYS,),
            )

    async def _queue(
        self, connection: Connection, before: Mapping[Key, Entry], after: Mapping[Key, Entry]
    ) -> None:
        """Queue deliveries of what has become unread; what is unread already was queued."""
        users = {key.user_id for key in after}
        markers = await _markers(connection, users)
        told = [
            (key, entry)
            for key, entry in after.items()
            if becomes_unread(before.get(key, NEW), entry, markers.get(key.user_id, 0))
        ]
        if not told:
            return
        preferences = await load(connection, {key.user_id for key, _ in told})
        now = datetime.now(UTC)
        rows = [
            (self._next_id(), *key, entry.notification_id, channel, due)
            for key, entry in told
            for channel, due in due_times(preferences[key.user_id], key.kind, now).items()
        ]
        await connection.execute(
            "INSERT INTO deliveries"
            " (delivery_id, user_id, kind, object_id, notification_id, channel, due_time)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[],"
            " %s::bigint[], %s::smallint[], %s::timestamptz[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 7,
        )


def _row(row: Sequence[object]) -> Row:
    kind, object_id, notification_id, tweet_id, count, latest, gone = row
    return Row(Kind(kind), object_id, notification_id, tweet_id, count, tuple(latest), gone)  # type: ignore[arg-type]


async def _markers(connection: Connection, user_ids: Collection[int]) -> dict[int, int]:
    cursor = await connection.execute(
        "SELECT user_id, read_up_to FROM read_markers WHERE user_id = ANY(%s)", (list(user_ids),)
    )
    return dict(await cursor.fetchall())


async def _badge(connection: Connection, user_id: int) -> Badge:
    cursor = await connection.execute(
        "WITH marker AS (SELECT coalesce((SELECT read_up_to FROM read_markers"
        "  WHERE user_id = %(user)s), 0) AS read_up_to)"
        " SELECT (SELECT count(*) FROM entries, marker WHERE user_id = %(user)s AND NOT gone"
        "  AND notification_id > marker.read_up_to), read_up_to FROM marker",
        {"user": user_id},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Badge(*row)
