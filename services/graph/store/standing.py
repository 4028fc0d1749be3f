"""How things stand between users, read and written in a transaction that has locked them."""

from collections.abc import Collection, Iterable, Sequence

from services.chassis.stores import Connection

from ..domain_follows import Follow, Pair, Standing
from ..domain_settling import Settlement

TURNS, BUCKETS = 0x67726166, 256
"""Advisory locks are shared by users whose ids are alike in this: an import has more users than
PostgreSQL has room for locks."""
_BOTH_OF_PAIR = "USING unnest(%s::bigint[], %s::bigint[]) AS p(user_id, target_user_id)"


async def lock_users(connection: Connection, user_ids: Collection[int]) -> dict[int, bool]:
    """Lock users in the order of their ids; those who exist, and whether each is protected.

    Transactions that share a user take turns, and no two can wait for each other. To be the first
    in a transaction: the log orders events by transaction ids, and a transaction that had its id
    before it waited for another one would tell its events before those that it waited for. A row
    lock takes an id at once; an advisory lock does not, so the turn is taken by one of those.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(%s, bucket) FROM unnest(%s::int[]) AS bucket",
        (TURNS, sorted({user_id % BUCKETS for user_id in user_ids})),
    )
    rows = await connection.execute(
        "SELECT user_id, protected FROM users WHERE user_id = ANY(%s)"
        " ORDER BY user_id FOR NO KEY UPDATE",
        (list(user_ids),),
    )
    return dict(await rows.fetchall())


async def read_standing(
    connection: Connection, pairs: Sequence[Pair], protected: dict[int, bool]
) -> Standing:
    """Follows, requests and blocks of these pairs, whose users are locked."""
    rows = await connection.execute(
        """
        SELECT p.user_id, p.target_user_id, coalesce(f.follow_id, r.request_id),
          coalesce(f.show_retweets, r.show_retweets), coalesce(f.notify, r.notify),
          f.follow_id IS NULL, b.block_id IS NOT NULL, c.block_id IS NOT NULL
        FROM unnest(%s::bigint[], %s::bigint[]) AS p(user_id, target_user_id)
        LEFT JOIN follows f USING (user_id, target_user_id)
        LEFT JOIN follow_requests r USING (user_id, target_user_id)
        LEFT JOIN blocks b USING (user_id, target_user_id)
        LEFT JOIN blocks c ON c.user_id = p.target_user_id AND c.target_user_id = p.user_id
        WHERE coalesce(f.follow_id, r.request_id, b.block_id, c.block_id) IS NOT NULL
        """,
        _columns(pairs),
    )
    follows: dict[Pair, Follow] = {}
    blocks: set[Pair] = set()
    for *follow, blocking, blocked in await rows.fetchall():
        pair = (follow[0], follow[1])
        if follow[2] is not None:
            follows[pair] = Follow(*follow)
        if blocking:
            blocks.add(pair)
        if blocked:
            blocks.add((pair[1], pair[0]))
    return Standing(protected, follows, blocks)


async def write_settlement(
    connection: Connection, standing: Standing, settlement: Settlement
) -> None:
    """Make the tables what the settlement says, counts included."""
    before = [standing.follows[pair] for pair in settlement.final if pair in standing.follows]
    after = [follow for follow in settlement.final.values() if follow is not None]
    kept = {(follow.pair, follow.requested) for follow in after}
    for requested, table in ((False, "follows"), (True, "follow_requests")):
        gone = [
            follow.pair
            for follow in before
            if follow.requested is requested and (follow.pair, requested) not in kept
        ]
        await _delete(connection, table, gone)
    made = [follow for follow in after if not follow.requested]
    asked = [follow for follow in after if follow.requested]
    await _put(connection, "follows", "follow_id", made)
    await _put(connection, "follow_requests", "request_id", asked)
    if settlement.blocks:
        await _write_blocks(connection, settlement.blocks)
    await _count(connection, settlement.deltas)


async def _delete(connection: Connection, table: str, pairs: Sequence[Pair]) -> None:
    if pairs:
        await connection.execute(
            f"DELETE FROM {table} t {_BOTH_OF_PAIR}"  # noqa: S608 - names from this code
            " WHERE t.user_id = p.user_id AND t.target_user_id = p.target_user_id",
            _columns(pairs),
        )


async def _put(
    connection: Connection, table: str, id_column: str, follows: Sequence[Follow]
) -> None:
    """Insert or change rows of `follows` or `follow_requests`, which are alike but for one name."""
    if follows:
        await connection.execute(
            f"""
            INSERT INTO {table} (user_id, target_user_id, {id_column}, show_retweets, notify)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[],
              %s::boolean[])
            ON CONFLICT (user_id, target_user_id) DO UPDATE
            SET {id_column} = excluded.{id_column}, show_retweets = excluded.show_retweets,
                notify = excluded.notify
            """,  # noqa: S608 - names from this code
            _columns(follow[:5] for follow in follows),
        )


async def _write_blocks(connection: Connection, blocks: dict[Pair, int]) -> None:
    await _delete(connection, "blocks", [pair for pair, block_id in blocks.items() if not block_id])
    made = [(*pair, block_id) for pair, block_id in blocks.items() if block_id]
    if made:
        # A block that was lifted and set again in one batch is there already.
        await connection.execute(
            """
            INSERT INTO blocks (user_id, target_user_id, block_id)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
            ON CONFLICT (user_id, target_user_id) DO UPDATE SET block_id = excluded.block_id
            """,
            _columns(made),
        )


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
            _columns((user_id, *delta) for user_id, delta in deltas.items()),
        )


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
