"""Crossing the pull threshold, in both directions, without a tweet lost or repeated.

An author's way through the registry (`policy.domain.State`), every step a commit:

1. Entering. A worker has found the author too large. All workers push and write to the ring, until
   every reader knows that there is a ring to merge. Then the ring, which may be left over from an
   earlier time and have a gap, is dropped (the next reader builds it from SQL, and all workers
   write to it by now), and the author is pulled.
2. Pulled. Workers write to the ring only.
3. Leaving. All workers push again, and as soon as all of them do, the author's rows are merged into
   the lists of all active followers. Then the lists hold everything, and the author is taken out of
   the registry; readers who do not know yet merge a ring that adds nothing.

A list that is made meanwhile holds the author's rows, because builders read those of all followees;
a follow that is made meanwhile mends its own list (`mend`). How far the lists have been mended is
kept in the registry, so whoever comes after a crash goes on there. One worker at a time does this,
by lease; a second one, should there ever be one, does no harm, as every step may be done twice.
"""

import asyncio
import contextlib
import time

import structlog

from .fanout import Policies
from .followers import FollowerSource
from .mend import Mender
from .metrics import FanoutMetrics
from .policy.domain import Policy, State
from .policy.store import Leaving, PolicyStore
from .sources import unpack_ids
from .store import Lists

TURN_SECONDS = 1.0
SWEEP_SECONDS = 60.0
"""How often pulled authors are counted who may have lost followers."""
PAGE = 500
"""Followers looked at in one turn."""
LISTS_PER_SECOND = 400
"""Lists mended for those who leave; each costs Redis and the worker some 2 ms."""
log = structlog.get_logger()


class Crossings:
    """Moves authors through the registry while it holds the lease."""

    def __init__(
        self,
        store: PolicyStore,
        policies: Policies,
        graph: FollowerSource,
        mender: Mender,
        rings: Lists,
        metrics: FanoutMetrics,
        holder: str,
    ) -> None:
        self._store = store
        self._policies = policies
        self._graph = graph
        self._mender = mender
        self._rings = rings
        self._metrics = metrics
        self._holder = holder
        self._swept: tuple[object, ...] = ()
        self._sweep_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Take turns until `stop`; what fails is tried again."""
        while not stop.is_set():
            pause = TURN_SECONDS
            try:
                pause = await self.turn()
            except Exception as error:
                log.warning("authors wait to cross the threshold", why=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
        with contextlib.suppress(Exception):
            await self._store.release_lease(self._holder)

    async def turn(self) -> float:
        """Do what is due, at most a page of followers; after how many seconds to come again."""
        if not await self._store.hold_lease(self._holder):
            self._metrics.leaving_followers.set(0)
            return TURN_SECONDS
        policy = self._policies.current
        await self._confirm(policy)
        await self._sweep(policy)
        if State.LEAVING not in policy.states.values():
            return TURN_SECONDS
        leaving = await self._store.next_leaving()
        return await self._mend_page(leaving) if leaving else TURN_SECONDS

    async def _confirm(self, policy: Policy) -> None:
        """Stop pushing for those whom every reader knows to be in the registry."""
        if State.ENTERING not in policy.states.values():
            return
        entered = await self._store.entered()
        if entered:
            await self._rings.drop(entered)
            await self._store.confirm(entered)

    async def _sweep(self, policy: Policy) -> None:
        """Find those in the registry who are to be pushed again."""
        settings = (policy.pull_threshold, policy.overrides)
        if settings == self._swept and time.monotonic() < self._sweep_at:
            return
        pulled = [author for author in policy.states if policy.is_pulled(author)]
        if pulled:
            # Of those who are worth a ring only the count is needed, so that is all that is sent.
            found = await self._graph.follower_pages(
                dict.fromkeys(pulled, 0), limit=1, maximum_followers_count=1
            )
            back = [
                author
                for author in pulled
                if not policy.should_pull(author, found[author].followers_count)
            ]
            if back:
                await self._store.leave(back)
        self._swept, self._sweep_at = settings, time.monotonic() + SWEEP_SECONDS

    async def _mend_page(self, leaving: Leaving) -> float:
        """Mend the lists of some followers of one who leaves, the last of whom end it."""
        started = time.monotonic()
        author, after = leaving.user_id, leaving.mended_through
        page = (await self._graph.follower_pages({author: after}, limit=PAGE))[author]
        followers = unpack_ids(page.follower_ids)
        mended = await self._mender.merge(followers, [author]) if followers else 0
        if page.next_after_user_id:
            await self._store.advance(leaving, page.next_after_user_id, len(followers))
            left = page.followers_count - leaving.mended_count - len(followers)
            self._metrics.leaving_followers.set(max(0, left))
        else:
            self._metrics.leaving_followers.set(0)
            if await self._store.remove(leaving):
                log.info("an author is pushed again", user_id=author)
        return max(0.0, mended / LISTS_PER_SECOND - (time.monotonic() - started))
