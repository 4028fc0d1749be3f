"""Writes: a batch of tweets, with idempotency records and events, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import psycopg

from services.chassis.errors import IdempotencyMismatchError, UnavailableError
from services.chassis.events.log import NewEvent, append
from services.chassis.stores import Connection, Pool

from ..domain import TweetRow
from ..errors import MediaNotFoundError
from ..media import store as media
from . import counts
from .keys import BATCHES
from .rows import COLUMNS, KEPT, SHOWN, SHOWN_FROM, TYPES, row_of

_OWN = f"SELECT {SHOWN} FROM {SHOWN_FROM} WHERE author_id = %b AND tweet_id = %b"  # noqa: S608
_INSERT = (
    f"INSERT INTO tweets ({COLUMNS}) SELECT * FROM unnest("  # noqa: S608 - our own column names
    + ", ".join(f"%b::{kind}[]" for kind in TYPES)
    + ")"
)
_ERASE = """
UPDATE tweets SET author_longitude = NULL, author_latitude = NULL
WHERE author_id = %(author)s AND tweet_id IN (
  SELECT tweet_id FROM tweets WHERE author_id = %(author)s AND author_longitude IS NOT NULL
  LIMIT %(rows)s)
"""
_INSERT_REPLIES = (
    "INSERT INTO replies (conversation_id, tweet_id, parent_tweet_id)"
    " SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[])"
)
_INSERT_MENTIONS = (
    "INSERT INTO mentions (user_id, tweet_id) SELECT * FROM unnest(%b::bigint[], %b::bigint[])"
)
REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,
    psycopg.errors.DeadlockDetected,
)
"""What one row may do to its whole batch."""
Key: TypeAlias = tuple[int, str]


class NewPost(NamedTuple):
    """A tweet to store: its row, its message, its event's payload, and where given its key.

    `mentioned` are the users whom it mentions, each once; `media_ids` the media that it shows.
    """

    row: TweetRow
    tweet: bytes
    payload: bytes
    request_id: str = ""
    body_hash: bytes = b""
    mentioned: tuple[int, ...] = ()
    media_ids: tuple[int, ...] = ()
    traceparent: str = ""

    @property
    def key(self) -> Key:
        """What the idempotency record is found by."""
        return self.row.author_id, self.request_id


class Earlier(NamedTuple):
    """What an idempotency key stands for."""

    tweet_id: int
    body_hash: bytes


class PostStore:
    """Writes to one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def commit(self, posts: Sequence[NewPost]) -> list[TweetRow | Exception]:
        """Store posts durably; each one's row, which is an earlier one where its key was used.

        When a row makes PostgreSQL refuse the batch, each post is tried by itself.
        """
        try:
            return await self._commit(posts)
        except REFUSED as error:
            if len(posts) == 1:
                return [_refusal(posts[0], error)]
        return [result for post in posts for result in await self.commit([post])]

    async def earlier(self, author_id: int, request_id: str, body_hash: bytes) -> TweetRow | None:
        """The row that this author stored under a key."""
        async with self._pool.connection() as connection:
            known = await _records(connection, [(author_id, request_id)])
            record = known.get((author_id, request_id))
            if record is None:
                return None
            if record.body_hash != body_hash:
                raise IdempotencyMismatchError(request_id=request_id)
            return (await _rows(connection, [record.tweet_id])).get(record.tweet_id)

    async def ingest(
        self, posts: Sequence[NewPost], request_id: str, body_hash: bytes
    ) -> list[int]:
        """Store an imported batch in one transaction; its ids, or the earlier ones of its key."""
        tweet_ids = [post.row.tweet_id for post in posts]
        async with self._pool.connection() as connection, connection.transaction():
            if request_id:
                made = (tweet_ids,)
                earlier = await BATCHES.claim(connection, (request_id,), body_hash, made)
                if earlier:
                    return list(earlier[0])
            await insert(connection, posts)
            return tweet_ids

    async def own(self, author_id: int, tweet_id: int) -> TweetRow | None:
        """An author's tweet, deleted or not; None where there is no such tweet."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_OWN, (author_id, tweet_id), binary=True)
            row = await cursor.fetchone()
            return None if row is None else row_of(row)

    async def erase_locations(self, author_id: int) -> int:
        """Forget where an author was, in all tweets, some at a time; how many had a place."""
        erased = 0
        async with self._pool.connection() as connection:
            while True:
                cursor = await connection.execute(_ERASE, {"author": author_id, "rows": 1_000})
                erased += cursor.rowcount
                if cursor.rowcount < 1_000:
                    return erased

    async def _commit(self, posts: Sequence[NewPost]) -> list[TweetRow | Exception]:
        keyed = [post for post in posts if post.request_id]
        async with self._pool.connection() as connection:
            known: dict[Key, Earlier] = {}
            rows: dict[int, TweetRow] = {}
            # A pipeline: the statements travel together, a fifth more posts a second.
            async with connection.pipeline(), connection.transaction():
                fresh = posts
                if keyed:
                    mine = await _claim(connection, keyed)
                    fresh = [p for p in posts if not p.request_id or p.row.tweet_id in mine]
                    if len(fresh) < len(posts):
                        known = await _records(connection, [post.key for post in keyed])
                if fresh:
                    await insert(connection, fresh)
            if known:
                rows = await _rows(connection, {record.tweet_id for record in known.values()})
        return [_result(post, known.get(post.key), rows) for post in posts]


async def insert(connection: Connection, posts: Sequence[NewPost]) -> None:
    """Insert tweets with all that comes of them, their events too, in the caller's transaction.

    Counts come last: others who answer the same tweet wait for their locks.
    """
    rows = [post.row for post in posts]
    kept = zip(*(row[: len(KEPT)] for row in rows), strict=True)
    await connection.execute(_INSERT, [list(column) for column in kept])
    mentions = [(user, post.row.tweet_id) for post in posts for user in post.mentioned]
    if mentions:
        users, tweets = zip(*mentions, strict=True)
        await connection.execute(_INSERT_MENTIONS, (list(users), list(tweets)))
    uses = [(medium, post.row.tweet_id) for post in posts for medium in post.media_ids]
    if uses:
        await media.use(connection, uses)
    await append(
        connection,
        [
            NewEvent(
                post.row.tweet_id,
                post.row.author_id,
                "TweetCreated",
                post.payload,
                post.traceparent,
            )
            for post in posts
        ],
    )
    replies = [
        (row.conversation_id, row.tweet_id, row.in_reply_to_tweet_id)
        for row in rows
        if row.in_reply_to_tweet_id
    ]
    if replies:
        columns = zip(*replies, strict=True)
        await connection.execute(_INSERT_REPLIES, [list(column) for column in columns])
    await counts.add(
        connection, counts.answers((row.in_reply_to_tweet_id, row.quote_tweet_id) for row in rows)
    )


def _refusal(post: NewPost, error: Exception) -> Exception:
    """What a post alone was refused for; a medium may have been deleted since it was found."""
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return MediaNotFoundError(field="media_ids", media_id=post.media_ids[0])
    return error


async def _claim(connection: Connection, posts: Iterable[NewPost]) -> set[int]:
    """Tweets that are first under their keys; waits for whoever is claiming one of them.

    Keys are inserted in order, so that two batches cannot wait for each other.
    """
    first: dict[Key, NewPost] = {}
    for post in posts:
        first.setdefault(post.key, post)
    claims = [first[key] for key in sorted(first)]
    cursor = await connection.execute(
        "INSERT INTO idempotency_keys (user_id, request_id, body_hash, tweet_id)"
        " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::bigint[])"
        " ON CONFLICT DO NOTHING RETURNING tweet_id",
        (
            [post.row.author_id for post in claims],
            [post.request_id for post in claims],
            [post.body_hash for post in claims],
            [post.row.tweet_id for post in claims],
        ),
    )
    return {row[0] for row in await cursor.fetchall()}


async def _records(connection: Connection, keys: Sequence[Key]) -> dict[Key, Earlier]:
    cursor = await connection.execute(
        "SELECT user_id, request_id, tweet_id, body_hash FROM idempotency_keys"
        " JOIN unnest(%s::bigint[], %s::text[]) AS k(user_id, request_id)"
        " USING (user_id, request_id)",
        ([user_id for user_id, _ in keys], [request_id for _, request_id in keys]),
    )
    return {(row[0], row[1]): Earlier(row[2], row[3]) for row in await cursor.fetchall()}


async def _rows(connection: Connection, tweet_ids: Iterable[int]) -> dict[int, TweetRow]:
    """Rows by id, deleted ones too: a repeated call gets the answer of the first one."""
    cursor = await connection.execute(
        f"SELECT {SHOWN} FROM {SHOWN_FROM} WHERE tweet_id = ANY(%s)",  # noqa: S608
        (list(tweet_ids),),
        binary=True,
    )
    return {row[0]: row_of(row) for row in await cursor.fetchall()}


def _result(
    post: NewPost, record: Earlier | None, rows: Mapping[int, TweetRow]
) -> TweetRow | Exception:
    if record is None or record.tweet_id == post.row.tweet_id:
        return post.row
    if record.body_hash != post.body_hash:
        return IdempotencyMismatchError(request_id=post.request_id)
    return rows.get(record.tweet_id) or UnavailableError(resource="the idempotency record")
