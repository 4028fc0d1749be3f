"""Users as bytes, ready to be joined into a reply."""

import time
from collections.abc import Callable, Iterable, Sequence

from clients.wire import FIRST, frame
from services.chassis.batching import Loader
from services.chassis.stores import Redis

from ..domain import User
from .leased_cache import CacheMetrics, LeasedCache
from .users import PostgresUsers

SHARED_TTL = 600.0
"""Seconds in Redis: bounds what a crash between commit and invalidation leaves behind."""
LOCAL_TTL = 2.0
"""Seconds in the process: how much later another replica's changes may show in batches."""
MAX_LOCAL = 50_000


class UserCache:
    """Serialized users by id: in the process, in Redis, in PostgreSQL.

    A frame is a user's bytes behind field 1's tag and their length: frames joined are a reply's
    repeated field.
    """

    def __init__(
        self,
        redis: Redis,
        users: PostgresUsers,
        *,
        encode: Callable[[User], bytes],
        metrics: CacheMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._encode = encode
        self._clock = clock
        self.shared = LeasedCache(redis, "user", load=self._load, ttl=SHARED_TTL, metrics=metrics)
        self._loader: Loader[int, bytes] = Loader("users", self.shared.get_many)
        self._frames: dict[int, bytes] = {}
        self._frames_end = 0.0

    async def join(self, user_ids: Sequence[int]) -> bytes:
        """Frames in the order asked, joined; missing users are left out."""
        now = self._clock()
        if now >= self._frames_end or len(self._frames) > MAX_LOCAL:
            self._frames = {}
            self._frames_end = now + LOCAL_TTL
        frames = self._frames
        # Kept here: what is invalidated while others are loaded must not be left out.
        found = {user_id: frames[user_id] for user_id in user_ids if user_id in frames}
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            raw = await self._loader.get_many(missing)
            loaded = {user_id: frame(FIRST, one) for user_id, one in raw.items()}
            frames |= loaded
            found |= loaded
        return b"".join([found[user_id] for user_id in user_ids if user_id in found])

    async def invalidate(self, user_ids: Iterable[int]) -> None:
        """Forget users that have changed."""
        changed = list(user_ids)
        for user_id in changed:
            self._frames.pop(user_id, None)
        await self.shared.invalidate(changed)

    async def _load(self, user_ids: list[int]) -> dict[int, bytes]:
        users = await self._users.get_many(user_ids)
        return {user.user_id: self._encode(user) for user in users}
