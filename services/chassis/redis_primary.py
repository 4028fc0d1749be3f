"""A Redis that was promoted is emptied: an older one is worse than none.

Replication is asynchronous, so a replica that becomes the primary may lack the newest deliveries
and invalidations: lists would miss entries, and caches hold what was deleted, without a sign of it.
A mark in Redis says which server wrote what it holds. Where the mark names another server than the
one that answers, everything goes at once; readers build anew what they need.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from redis.exceptions import RedisError, WatchError

from .redis_client import Redis

MARK = "aviary:written-by"
LOOK_SECONDS = 0.5
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def watching_primary(client: Redis) -> AsyncIterator[None]:
    """Look after the mark as long as this is open; any number of processes may."""
    task = asyncio.create_task(_watch(client))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def settle(client: Redis) -> bool:
    """Empty a server that holds what another one wrote; whether it did. Raises redis' errors."""
    async with client.pipeline() as transaction:
        await transaction.watch(MARK)
        server = str((await transaction.info("server"))["run_id"]).encode()
        mark = await transaction.get(MARK)
        if mark == server:
            return False
        transaction.multi()  # type: ignore[no-untyped-call]
        if mark is not None:
            transaction.flushdb()
        transaction.set(MARK, server)
        try:
            await transaction.execute()
        except WatchError:
            return False
    return mark is not None


async def _watch(client: Redis) -> None:
    while True:
        try:
            if await settle(client):
                log.warning("redis has another primary: emptied")
        except (RedisError, OSError) as error:
            log.info("redis not looked at", why=str(error))
        await asyncio.sleep(LOOK_SECONDS)
