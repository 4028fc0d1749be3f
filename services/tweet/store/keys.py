"""Idempotency records: those of imported batches, and the end of all of them after a day."""

from functools import partial

from services.chassis.background import keep_sweeping
from services.chassis.errors import IdempotencyMismatchError
from services.chassis.stores import Connection, Pool

KEPT_HOURS = 24
PRUNE_INTERVAL = 600.0
PRUNE_ROWS = 5_000


async def claim_batch(
    connection: Connection, request_id: str, body_hash: bytes, tweet_ids: list[int]
) -> list[int]:
    """The ids that a batch has under its key: the given ones, unless it was stored before."""
    cursor = await connection.execute(
        "INSERT INTO ingest_keys (request_id, body_hash, tweet_ids) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (request_id, body_hash, tweet_ids),
    )
    if cursor.rowcount:
        return tweet_ids
    cursor = await connection.execute(
        "SELECT body_hash, tweet_ids FROM ingest_keys WHERE request_id = %s", (request_id,)
    )
    known_hash, known_ids = await cursor.fetchone() or (b"", [])
    if known_hash != body_hash:
        raise IdempotencyMismatchError(request_id=request_id)
    return list(known_ids)


async def prune(pool: Pool) -> int:
    """Delete records older than a day, a bounded number of each kind; how many went."""
    gone = 0
    async with pool.connection() as connection:
        for table in ("idempotency_keys", "ingest_keys", "moment_keys"):
            cursor = await connection.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - the names above
                f" SELECT ctid FROM {table} WHERE create_time < now() - %s * interval '1 hour'"
                " LIMIT %s FOR UPDATE SKIP LOCKED))".encode(),
                (KEPT_HOURS, PRUNE_ROWS),
            )
            gone += cursor.rowcount
    return gone


async def keep_pruned(pool: Pool) -> None:
    """Prune now and then, for ever."""
    await keep_sweeping(partial(prune, pool), PRUNE_INTERVAL, "idempotency keys not pruned")
