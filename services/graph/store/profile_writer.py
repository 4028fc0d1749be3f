"""Changing accounts as a service: profile, sessions and waiting followers in one transaction."""

import asyncio
from collections.abc import Callable

from psycopg import Error
from psycopg.errors import LockNotAvailable

from services.chassis.errors import UnavailableError
from services.chassis.events.log import NewEvent

from ..domain import ProfileChange, User
from .follow_writer import FollowWriter
from .follows import PostgresFollows
from .user_cache import UserCache
from .users import PostgresUsers

ATTEMPTS = 10
"""Each is disturbed only by a request of its last milliseconds whose sender is busy still."""


class ProfileWriter:
    """Changes accounts; when it answers, no cache holds what was before."""

    def __init__(
        self,
        users: PostgresUsers,
        follows: PostgresFollows,
        writer: FollowWriter,
        cache: UserCache,
        event_of: Callable[[User], NewEvent],
    ) -> None:
        self._users = users
        self._follows = follows
        self._writer = writer
        self._cache = cache
        self._event_of = event_of

    async def update(self, user_id: int, change: ProfileChange, *, keep_session: int) -> User:
        """The account after the change; a new password ends all sessions but one.

        The caches hear of a commit even when the caller has gone.
        """
        return await asyncio.shield(self._update(user_id, change, keep_session))

    async def _update(self, user_id: int, change: ProfileChange, keep_session: int) -> User:
        for _ in range(ATTEMPTS):
            try:
                user, accepted = await self._users.update(
                    user_id,
                    change,
                    self._event_of,
                    keep_session=keep_session,
                    admit=self._follows.accept_all,
                )
            except LockNotAvailable:
                continue
            except Error:
                # The connection may have broken after the commit.
                await self._writer.forget([(user_id, user_id)])
                raise
            await self._cache.invalidate([user_id])
            if accepted:
                await self._writer.forget(accepted)
            return user
        raise UnavailableError(resource="the list of follow requests")
