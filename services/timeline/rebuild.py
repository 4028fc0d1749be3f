"""Building a home list that is not there: its user was inactive, or Redis lost it.

**Why nothing is missed.** The builder first makes the list, holding only its marker, then asks
Graph whom the user follows, then Tweet for the newest rows of those, then puts these rows in the
marker's place in one transaction. A tweet committed before the rows are read is among them (or
older than all of a full list). One committed later is delivered after its commit, when the list
exists, so LPUSHX lands. One that is both is there twice, which readers forgive. A follow that comes
between drops the list when its event is handled, so the marker is gone and the builder starts
again; so it does after a FLUSHALL.
"""

import asyncio
import contextvars
import secrets

import structlog
from redis.exceptions import RedisError

from . import domain
from .metrics import ReadMetrics
from .sources import Truth
from .store import HomeLists

ATTEMPTS = 5
POLL_SECONDS, PATIENCE_SECONDS = 0.02, 2.0
"""How often, and how long, to look whether another process has finished its build."""
log = structlog.get_logger()


class ContestedError(RedisError):
    """The list was taken away again and again while it was built; SQL answers instead."""


class Builds:
    """Makes lists be there; at most one build of a list at a time in this process."""

    def __init__(self, lists: HomeLists, truth: Truth, metrics: ReadMetrics) -> None:
        self._lists = lists
        self._truth = truth
        self._metrics = metrics
        self._under_way: dict[int, asyncio.Task[list[bytes]]] = {}
        self._settling: dict[int, asyncio.Task[None]] = {}

    async def ready(self, user_id: int) -> list[bytes]:
        """The whole list, which is built first where it has to be."""
        task = self._under_way.get(user_id)
        if task is None:
            # In a context of its own: others may come to wait for it, with other deadlines.
            task = asyncio.create_task(self._ready(user_id), context=contextvars.Context())
            self._under_way[user_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(user_id, None))
        return await asyncio.shield(task)

    async def anew(self, user_id: int) -> int:
        """Throw the list away and build it; how many entries it then has."""
        await self._lists.drop([user_id])
        return sum(domain.tweet_id_of(entry) > 0 for entry in await self.ready(user_id))

    def settle_soon(self, user_id: int) -> None:
        """Sort the list in the background: a window of it did not prove its order."""
        if user_id not in self._settling:
            task = asyncio.create_task(self._settle(user_id), context=contextvars.Context())
            self._settling[user_id] = task
            task.add_done_callback(lambda _: self._settling.pop(user_id, None))

    async def aclose(self) -> None:
        """Wait for what is under way."""
        tasks = [*self._under_way.values(), *self._settling.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ready(self, user_id: int) -> list[bytes]:
        for _ in range(ATTEMPTS):
            entries = await self._lists.whole(user_id)
            if entries and domain.is_building(entries[-1]):
                entries = await self._await_other(user_id, entries[-1])
            if entries and not domain.is_building(entries[-1]):
                return entries
            await self._build(user_id, entries[-1] if entries else None)
        raise ContestedError(f"the list of {user_id} was taken away {ATTEMPTS} times")

    async def _await_other(self, user_id: int, marker: bytes) -> list[bytes]:
        """The list when it no longer ends with another builder's marker, or patience has."""
        entries = [marker]
        give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while entries and entries[-1] == marker:
            if asyncio.get_running_loop().time() > give_up:
                log.warning("taking over an abandoned build", user_id=user_id)
                break
            await asyncio.sleep(POLL_SECONDS)
            entries = await self._lists.whole(user_id)
        return entries

    async def _build(self, user_id: int, abandoned: bytes | None) -> None:
        marker = domain.building_marker(secrets.randbits(64))
        if not await self._lists.begin(user_id, marker, abandoned):
            return
        try:
            rows = await self._truth.newest(user_id, domain.LIST_LENGTH)
        except BaseException:
            await self._lists.drop([user_id])  # others need not wait for us
            raise
        if await self._lists.finish(user_id, marker, domain.backfill(rows)):
            self._metrics.builds.inc()

    async def _settle(self, user_id: int) -> None:
        try:
            await self._lists.settle(user_id)
        except RedisError as error:
            log.info("a list was not sorted", user_id=user_id, why=str(error))
