"""Idempotency records, of posts, imported batches and moments, and their end after a day."""

from functools import partial

from services.chassis.background import keep_sweeping
from services.chassis.request_keys import RequestKeys
from services.chassis.stores import Pool

POSTS = RequestKeys("idempotency_keys", ("user_id", "request_id"), ("tweet_id",))
BATCHES = RequestKeys("ingest_keys", ("request_id",), ("tweet_ids",))
MOMENTS = RequestKeys("moment_keys", ("user_id", "request_id"), ("moment_id",))
PRUNE_INTERVAL = 600.0


async def prune(pool: Pool) -> int:
    """Delete records older than a day, a bounded number of each kind; how many went."""
    return sum([await keys.prune(pool) for keys in (POSTS, BATCHES, MOMENTS)])


async def keep_pruned(pool: Pool) -> None:
    """Prune now and then, for ever."""
    await keep_sweeping(partial(prune, pool), PRUNE_INTERVAL, "idempotency keys not pruned")
