"""Following as a service: commands are committed together, then caches forget what changed."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from itertools import chain

from psycopg import Error

from services.chassis.batching import Batcher
from services.chassis.errors import ServiceError

from ..domain_follows import Command, Follow, Pair
from ..domain_settling import Settlement
from .follower_cache import FollowerCache
from .follows import PostgresFollows, pairs_of
from .user_cache import UserCache

MAX_BATCH, MAX_WAITING = 500, 5_000


class FollowWriter:
    """Carries out commands on follows and blocks; when it answers, no cache holds what was before.

    Whatever waits shares one transaction. A caller that goes away stops nothing: commit and
    invalidation belong together.
    """

    def __init__(
        self,
        follows: PostgresFollows,
        users: UserCache,
        followers: FollowerCache,
        traceparent: Callable[[], str],
    ) -> None:
        self._traceparent = traceparent
        self._follows = follows
        self._users = users
        self._followers = followers
        self._batcher: Batcher[Command, Follow | None] = Batcher(
            "follow commit", self._commit, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    async def carry_out(self, command: Command) -> Follow | None:
        """The follow as it is then; None where there is none."""
        return await self._batcher.submit(command._replace(traceparent=self._traceparent()))

    async def carry_out_all(self, commands: Sequence[Command]) -> Settlement:
        """Carry out all of these commands in one transaction, or none when one is refused."""
        return await asyncio.shield(self._write(commands, all_or_none=True))

    async def _commit(self, commands: list[Command]) -> list[Follow | ServiceError | None]:
        return (await self._write(commands, all_or_none=False)).results

    async def _write(self, commands: Sequence[Command], *, all_or_none: bool) -> Settlement:
        try:
            settlement = await self._follows.carry_out(commands, all_or_none=all_or_none)
        except Error:
            # The connection may have broken after the commit.
            await self.forget(pairs_of(commands))
            raise
        if settlement.deltas:
            await self.forget(settlement.final)
        return settlement

    async def forget(self, pairs: Collection[Pair]) -> None:
        """Drop from the caches what these follows, as they were, have put there."""
        await self._followers.invalidate({target for _, target in pairs})
        await self._users.invalidate(set(chain.from_iterable(pairs)))
