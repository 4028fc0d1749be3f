"""Mending home lists: a new followee's tweets are put in, a former one's are taken out.

A list that exists is mended in place, once for all that a batch says about its user; one that is
being built is dropped, because its builder may have asked too early, and is built again.

**Why nothing is missed.** The rows are read from SQL when the follow has been committed. A tweet
committed before that is among them; one committed later finds the follower among the author's
followers when it is delivered. Rows older than what the list proves are left out, so that it still
ends where its proof does (`mended`).

**Why nothing is taken out that belongs there.** Readers show nobody whom they do not follow, so
taking out is tidying up, and following again meanwhile must win, even where another worker, which
has just got the partition, handles it first. So a former followee's entries are taken out only if
Graph says that the user does not follow now, and Graph is asked again afterwards: a follow that
was committed in between is put in here, one that came later by its own event.
"""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import UserFollowed, UserUnfollowed

from . import domain
from .domain import COMPLETE, LATE, NOTHING_PROVEN, SETTLED, Span
from .fanout import Policies
from .metrics import FanoutMetrics
from .sources import RowSource, newest_rows, unpack_ids
from .store import Lists

AT_ONCE = 8
"""Lists mended at a time: some 2 ms each, of which one is the worker's own."""
Follows: TypeAlias = Mapping[int, bool]
"""By target: whether the last event said followed or unfollowed."""


class FollowingSource(Protocol):
    """What this needs of the Graph service; `clients.graph.GraphClient` is one."""

    async def following_ids(self, user_id: int) -> bytes:
        """Whom a user follows: ids of 8 bytes each, big-endian, joined."""


class Mender:
    """Handles batches of events of Graph's log, and mends lists for whoever asks."""

    def __init__(
        self,
        lists: Lists,
        tweets: RowSource,
        graph: FollowingSource,
        policies: Policies,
        metrics: FanoutMetrics,
    ) -> None:
        self._lists = lists
        self._tweets = tweets
        self._graph = graph
        self._policies = policies
        self._metrics = metrics
        self._room = asyncio.Semaphore(AT_ONCE)

    async def handle(self, events: Sequence[Event]) -> None:
        """Mend the lists of those who followed or unfollowed; events of other kinds pass by.

        May be called again with the same events.
        """
        changes = _changes(events)
        if changes:
            active = await self._lists.existing(list(changes))
            await self._all(self._follow(user, changes[user]) for user in active)

    async def merge(self, user_ids: Collection[int], authors: Sequence[int]) -> int:
        """Put the newest rows of these authors into lists that exist; how many there were."""
        active = await self._lists.existing(list(user_ids))
        if active:
            rows = await newest_rows(self._tweets, authors, self._lists.length)
            await self._all(self._rewrite(user, rows, ()) for user in active)
        return len(active)

    async def _all(self, jobs: Iterable[Awaitable[None]]) -> None:
        """Do all of these, a few at a time; the first failure is raised when all have ended."""

        async def bounded(job: Awaitable[None]) -> None:
            async with self._room:
                await job

        ended = await asyncio.gather(*map(bounded, jobs), return_exceptions=True)
        for failure in ended:
            if failure is not None:
                raise failure

    async def _follow(self, user_id: int, follows: Follows) -> None:
        gone = {target for target, followed in follows.items() if not followed}
        new = {target for target, followed in follows.items() if followed}
        gone -= await self._followed(user_id, gone)
        await self._rewrite_with(user_id, new, gone)
        again = await self._followed(user_id, gone)
        if again:
            await self._rewrite_with(user_id, again, ())

    async def _followed(self, user_id: int, targets: set[int]) -> set[int]:
        """Those of these whom a user follows now."""
        if not targets:
            return set()
        return targets.intersection(unpack_ids(await self._graph.following_ids(user_id)))

    async def _rewrite_with(self, user_id: int, new: set[int], gone: Collection[int]) -> None:
        # Of who is pulled the ring has it all; should that end, all followers' lists are mended.
        pushed = [author for author in new if self._policies.current.pushes(author)]
        rows = await newest_rows(self._tweets, pushed, self._lists.length) if pushed else []
        if pushed or gone:
            await self._rewrite(user_id, rows, gone)

    async def _rewrite(self, user_id: int, rows: Sequence[bytes], gone: Collection[int]) -> None:
        length = self._lists.length
        if await self._lists.rewrite(user_id, lambda have: mended(have, rows, gone, length)):
            self._metrics.mended_lists.inc()
        else:
            await self._lists.drop([user_id])
            self._metrics.dropped_lists.labels(why="follow").inc()


def mended(
    entries: Sequence[bytes], rows: Sequence[bytes], gone: Collection[int], length: int
) -> list[bytes]:
    """A list in order with these rows in it and without these authors' entries.

    `rows` are the newest of their authors, all of them or `length`. Nothing below the floor is kept
    or put in, as there the list is not known to be whole; from the floor on it then is, so all of
    it counts as SETTLED, and what had everything still has. Empty where little would be left: then
    reading SQL again is better.
    """
    floor = domain.floor_of(entries)
    without = {author.to_bytes(8) for author in gone}
    kept = [entry for entry in entries if entry[8:16] not in without]
    found = domain.select([*kept, *rows], Span(NOTHING_PROVEN, 0, length), floor)
    if floor and len(found) < len(entries) // 2:
        return []
    ordered = [domain.pack(tweet, user, flags & ~LATE | SETTLED) for tweet, user, flags in found]
    return [*ordered, COMPLETE] if floor == 0 and len(found) < length else ordered


_FOLLOWS: Mapping[str, type[UserFollowed | UserUnfollowed]] = {
    "UserFollowed": UserFollowed,
    "UserUnfollowed": UserUnfollowed,
}


def _changes(events: Sequence[Event]) -> dict[int, dict[int, bool]]:
    """By user: whom they followed or unfollowed last."""
    changes: dict[int, dict[int, bool]] = {}
    for event in events:
        if event.kind in _FOLLOWS:
            follow = _FOLLOWS[event.kind].FromString(event.payload)
            followed = event.kind == "UserFollowed"
            changes.setdefault(follow.user_id, {})[follow.target_user_id] = followed
    return changes
