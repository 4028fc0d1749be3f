"""Deleting what has expired."""

from functools import partial

from services.chassis.background import keep_sweeping
from services.chassis.stores import Pool

from .idempotency import KEPT

INTERVAL = 600.0
STATEMENTS = (
    """
    DELETE FROM sessions WHERE session_id IN (
      SELECT session_id FROM refresh_tokens WHERE NOT spent AND expire_time < now() LIMIT 1000)
    """,
    """
    DELETE FROM login_failures WHERE bucket IN (
      SELECT bucket FROM login_failures WHERE expire_time < now() LIMIT 1000)
    """,
    """
    DELETE FROM mutes WHERE (user_id, target_user_id) IN (
      SELECT user_id, target_user_id FROM mutes WHERE expire_time < now() LIMIT 1000)
      AND expire_time < now()
    """,
    f"""
    DELETE FROM idempotency_keys WHERE (caller_id, request_id) IN (
      SELECT caller_id, request_id FROM idempotency_keys
      WHERE create_time < now() - {KEPT} LIMIT 1000)
    """,  # noqa: S608 - names from this code
)


async def sweep(pool: Pool) -> int:
    """Delete some of what has expired, in short transactions; how many rows went."""
    deleted = 0
    for statement in STATEMENTS:
        async with pool.connection() as connection:
            deleted += (await connection.execute(statement)).rowcount
    return deleted


async def keep_swept(pool: Pool) -> None:
    """Sweep now and then, for ever."""
    await keep_sweeping(partial(sweep, pool), INTERVAL, "expired rows not deleted")
