"""Building a list that is not there: its user was inactive, or Redis lost it.

**Why nothing is missed.** The builder first makes the list, holding only its marker, then asks
Graph whom the user follows (for an author's ring there is nothing to ask), then Tweet for the
newest rows of those, then puts these rows in the marker's place in one transaction. A tweet
committed before the rows are read is among them (or older than all of a full list). One committed
later is delivered after its commit, when the list exists, so LPUSHX lands. One that is both is
there twice, which readers forgive. A follow that comes between drops the unfinished list when its
event is handled, so the marker is gone and the builder starts again; so it does after a FLUSHALL.
"""

import asyncio
import contextvars
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from redis.exceptions import RedisError

from . import domain
from .metrics import ReadMetrics
from .store import Lists

ATTEMPTS = 5
POLL_SECONDS, PATIENCE_SECONDS = 0.02, 2.0
"""How often, and how long, to look whether another process has finished its build."""
SETTLED_AT_ONCE = 8
Newest: TypeAlias = Callable[[int, int], Awaitable[list[bytes]]]
"""The newest packed entries of an owner's list from SQL, at most so many; fewer are all."""
log = structlog.get_logger()


class ContestedError(RedisError):
    """The list was taken away again and again while it was built; SQL answers instead."""


class Builds:
    """Makes lists be there; at most one build of a list at a time in this process."""

    def __init__(self, lists: Lists, newest: Newest, metrics: ReadMetrics) -> None:
        self._lists = lists
        self._newest = newest
        self._metrics = metrics
        self._under_way: dict[int, asyncio.Task[list[bytes]]] = {}
        self._settling: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(SETTLED_AT_ONCE)

    async def ready(self, owner_id: int) -> list[bytes]:
        """The whole list, which is built first where it has to be."""
        task = self._under_way.get(owner_id)
        if task is None:
            # In a context of its own: others may come to wait for it, with other deadlines.
            task = asyncio.create_task(self._ready(owner_id), context=contextvars.Context())
            self._under_way[owner_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(owner_id, None))
        return await asyncio.shield(task)

    async def anew(self, owner_id: int) -> int:
        """Throw the list away and build it; how many entries it then has."""
        await self._lists.drop([owner_id])
        return sum(domain.tweet_id_of(entry) > 0 for entry in await self.ready(owner_id))

    def settle_soon(self, owner_id: int) -> None:
        """Sort the list in the background: a window of it did not prove its order."""
        if owner_id not in self._settling:
            task = asyncio.create_task(self._settle(owner_id), context=contextvars.Context())
            self._settling[owner_id] = task
            task.add_done_callback(lambda _: self._settling.pop(owner_id, None))

    async def aclose(self) -> None:
        """Wait for what is under way."""
        tasks = [*self._under_way.values(), *self._settling.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ready(self, owner_id: int) -> list[bytes]:
        for _ in range(ATTEMPTS):
            entries = await self._lists.whole(owner_id)
            if entries and domain.is_building(entries[-1]):
                entries = await self._await_other(owner_id, entries[-1])
            if entries and not domain.is_building(entries[-1]):
                return entries
            await self._build(owner_id, entries[-1] if entries else None)
        raise ContestedError(f"the list of {owner_id} was taken away {ATTEMPTS} times")

    async def _await_other(self, owner_id: int, marker: bytes) -> list[bytes]:
        """The list when it no longer ends with another builder's marker, or patience has."""
        entries = [marker]
        give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while entries and entries[-1] == marker:
            if asyncio.get_running_loop().time() > give_up:
                log.warning("taking over an abandoned build", owner_id=owner_id)
                break
            await asyncio.sleep(POLL_SECONDS)
            entries = await self._lists.whole(owner_id)
        return entries

    async def _build(self, owner_id: int, abandoned: bytes | None) -> None:
        marker = domain.building_marker(secrets.randbits(64))
        if not await self._lists.begin(owner_id, marker, abandoned):
            return
        try:
            length = self._lists.length
            rows = await self._newest(owner_id, length)
        except BaseException:
            await self._lists.drop([owner_id])  # others need not wait for us
            raise
        if await self._lists.finish(owner_id, marker, domain.backfill(rows, length)):
            self._metrics.builds.inc()

    async def _settle(self, owner_id: int) -> None:
        try:
            async with self._room:
                await self._lists.settle(owner_id)
        except RedisError as error:
            log.info("a list was not sorted", owner_id=owner_id, why=str(error))
