"""The statements that a batch of changes is recorded with, in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from services.chassis.stores import Connection

from ..domain_inbox import LATEST, Applied, Change, Entry, Key, Kind, Occurrence

KEYS = "unnest(%s::bigint[], %s::smallint[], %s::bigint[]) AS k(user_id, kind, object_id)"
ON_KEY = "t.user_id = k.user_id AND t.kind = k.kind AND t.object_id = k.object_id"


def _columns(keys: Iterable[Key]) -> tuple[list[int], list[int], list[int]]:
    keys = list(keys)
    return (
        [key.user_id for key in keys],
        [key.kind.value for key in keys],
        [key.object_id for key in keys],
    )


async def forget_tweets(connection: Connection, tweet_ids: Collection[int]) -> None:
    """Let entries about some tweets be gone, and whatever is said of them later."""
    ids = sorted(tweet_ids)
    await connection.execute(
        "INSERT INTO gone_tweets (tweet_id) SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
        (ids,),
    )
    await connection.execute(
        "UPDATE entries SET gone = true, xid = pg_current_xact_id(), seq = nextval('change_seq')"
        " WHERE (user_id, kind, object_id) IN (SELECT user_id, kind, object_id FROM entries"
        "  WHERE tweet_id = ANY(%s) AND NOT gone ORDER BY user_id, kind, object_id FOR UPDATE)",
        (ids,),
    )


async def of_living_tweets(connection: Connection, changes: Sequence[Change]) -> list[Change]:
    """The changes without what is said of tweets that are gone."""
    asked = {change.tweet_id for change in changes if change.tweet_id and change.alive}
    if not asked:
        return list(changes)
    cursor = await connection.execute(
        "SELECT tweet_id FROM gone_tweets WHERE tweet_id = ANY(%s)", (list(asked),)
    )
    gone = {row[0] for row in await cursor.fetchall()}
    return [change for change in changes if not (change.alive and change.tweet_id in gone)]


async def locked(
    connection: Connection, keys: Sequence[Key], made: Collection[Key]
) -> dict[Key, Entry]:
    """The entries, locked in the order of their keys; those of `made` exist from now on."""
    await connection.execute(
        "INSERT INTO entries (user_id, kind, object_id) SELECT user_id, kind, object_id"
        f" FROM {KEYS} ORDER BY user_id, kind, object_id ON CONFLICT DO NOTHING".encode(),
        _columns(sorted(made)),
    )
    cursor = await connection.execute(
        "SELECT t.user_id, t.kind, t.object_id, t.notification_id, t.tweet_id, t.actor_count,"
        f" t.latest_actors, t.gone FROM {KEYS} JOIN entries t ON {ON_KEY}"
        " ORDER BY t.user_id, t.kind, t.object_id FOR UPDATE OF t".encode(),
        _columns(keys),
    )
    return {
        Key(user_id, Kind(kind), object_id): Entry(newest, tweet_id, count, tuple(latest), gone)
        for user_id, kind, object_id, newest, tweet_id, count, latest, gone in (
            await cursor.fetchall()
        )
    }


async def known_occurrences(
    connection: Connection, changes: Iterable[Change]
) -> dict[tuple[Key, int], Occurrence]:
    """What is known of the actors and entries that changes speak of."""
    wanted = sorted({(change.key, change.actor_id) for change in changes})
    cursor = await connection.execute(
        "SELECT t.user_id, t.kind, t.object_id, t.actor_id, t.notification_id, t.event_id, t.alive"
        " FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[])"
        f" AS k(user_id, kind, object_id, actor_id) JOIN occurrences t ON {ON_KEY}"
        " AND t.actor_id = k.actor_id".encode(),
        (*_columns(key for key, _ in wanted), [actor for _, actor in wanted]),
    )
    return {
        (Key(user_id, Kind(kind), object_id), actor_id): Occurrence(*rest)
        for user_id, kind, object_id, actor_id, *rest in await cursor.fetchall()
    }


async def keep(connection: Connection, occurrences: Mapping[tuple[Key, int], Occurrence]) -> None:
    """Write occurrences, unless something newer is known."""
    rows = sorted(occurrences.items())
    await connection.execute(
        "INSERT INTO occurrences AS o"
        " (user_id, kind, object_id, actor_id, notification_id, event_id, alive)"
        " SELECT * FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[],"
        " %s::bigint[], %s::bigint[], %s::boolean[])"
        " ON CONFLICT (user_id, kind, object_id, actor_id) DO UPDATE"
        " SET notification_id = excluded.notification_id, event_id = excluded.event_id,"
        " alive = excluded.alive WHERE o.event_id < excluded.event_id",
        (
            *_columns(key for (key, _), _ in rows),
            [actor for (_, actor), _ in rows],
            [each.notification_id for _, each in rows],
            [each.event_id for _, each in rows],
            [each.alive for _, each in rows],
        ),
    )


async def settled(connection: Connection, applied: Applied) -> dict[Key, Entry]:
    """The entries after the changes; what was taken back lets the one before show again."""
    after = dict(applied.entries)
    empty = {key for key in applied.recount if after[key].actor_count <= 0}
    for key in empty:
        after[key] = after[key]._replace(actor_count=0, latest_actors=(), gone=True)
    recount = sorted(applied.recount - empty)
    if recount:
        cursor = await connection.execute(
            "SELECT k.user_id, k.kind, k.object_id, n.actor_id, n.notification_id"
            f" FROM {KEYS} CROSS JOIN LATERAL (SELECT t.actor_id, t.notification_id"
            f" FROM occurrences t WHERE {ON_KEY} AND t.alive"
            f" ORDER BY t.notification_id DESC LIMIT {LATEST}) n"
            " ORDER BY n.notification_id DESC".encode(),
            _columns(recount),
        )
        newest: dict[Key, list[tuple[int, int]]] = {}
        for user_id, kind, object_id, actor_id, notification_id in await cursor.fetchall():
            key = Key(user_id, Kind(kind), object_id)
            newest.setdefault(key, []).append((actor_id, notification_id))
        for key, rows in newest.items():
            actors = tuple(actor for actor, _ in rows)
            after[key] = after[key]._replace(notification_id=rows[0][1], latest_actors=actors)
    return after


async def write(connection: Connection, entries: Mapping[Key, Entry]) -> None:
    """Write entries, as changed now."""
    rows = sorted(entries.items())
    await connection.execute(
        "UPDATE entries t SET notification_id = k.notification_id, tweet_id = k.tweet_id,"
        " actor_count = k.actor_count, gone = k.gone, xid = pg_current_xact_id(),"
        " seq = nextval('change_seq'),"
        " latest_actors = string_to_array(k.latest_actors, ',')::bigint[]"
        " FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::integer[], %s::text[], %s::boolean[]) AS k(user_id, kind, object_id,"
        " notification_id, tweet_id, actor_count, latest_actors, gone)"
        f" WHERE {ON_KEY}".encode(),
        (
            *_columns(key for key, _ in rows),
            [entry.notification_id for _, entry in rows],
            [entry.tweet_id for _, entry in rows],
            [entry.actor_count for _, entry in rows],
            [",".join(map(str, entry.latest_actors)) for _, entry in rows],
            [entry.gone for _, entry in rows],
        ),
    )
