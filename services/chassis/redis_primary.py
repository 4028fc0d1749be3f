"""A Redis that was promoted is emptied: an older one is worse than none.

Replication is asynchronous, so a replica that becomes the primary may lack the newest deliveries
and invalidations: lists would miss entries, and caches hold what was deleted, without a sign of it.
A mark in Redis says which server wrote what it holds. Where the mark names another server than the
one that answers, everything goes at once; readers build anew what they need.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import structlog
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisError, WatchError

from .background import running
from .redis_client import Redis

MARK = "aviary:written-by"
LOOK_SECONDS = 0.5
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def watching_primary(client: Redis) -> AsyncIterator[None]:
    """Look after the mark as long as this is open; any number of processes may."""
    async with running(_watch(client)):
        yield


async def settle(client: Redis) -> bool:
    """Empty what another server wrote; whether there was some. Raises redis' errors."""
    if isinstance(client, RedisCluster):
        return await _settle_cluster(client)
    async with client.pipeline(transaction=True) as transaction:
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


async def _settle_cluster(client: RedisCluster) -> bool:
    """The same for each primary, by a mark in a slot of its own; two processes may both do it."""
    await client.initialize()
    emptied = False
    for node in client.get_primaries():
        slots = client.nodes_manager.slots_cache
        own = next((slot for slot, nodes in slots.items() if nodes[0].name == node.name), None)
        if own is None:
            continue
        key = f"{MARK}:{{{tag_in(own)}}}"
        info: dict[str, Any] = await client.info("server", target_nodes=node)
        server, mark = str(info["run_id"]).encode(), await client.get(key)
        if mark == server:
            continue
        if mark is not None:
            await client.flushdb(target_nodes=node)
            emptied = True
        await client.set(key, server)
    return emptied


@cache
def tag_in(slot: int) -> str:
    """A text that belongs in a slot."""
    return next(tag for tag in map(str, itertools.count()) if key_slot(tag.encode()) == slot)


async def _watch(client: Redis) -> None:
    while True:
        try:
            if await settle(client):
                log.warning("redis has another primary: emptied")
        except (RedisError, OSError) as error:
            log.info("redis not looked at", why=str(error))
        await asyncio.sleep(LOOK_SECONDS)
