"""Lists of followers for fan-out: a second fan-out by the same authors makes no SQL."""

from collections.abc import Collection, Iterable

from services.chassis.stores import Redis

from ..domain_follows import ID_BYTES
from .follow_ids import FollowerIds, PostgresFollowIds
from .leased_cache import CacheMetrics, LeasedCache

TTL = 60.0
"""Seconds that a list may live in Redis whatever happens: a stale one would lose deliveries."""


class FollowerCache:
    """Followers by user, from Redis and PostgreSQL; a value is the count and then the packed ids.

    Of a list that is too long to be cached the count alone is.
    """

    def __init__(self, redis: Redis, follow_ids: PostgresFollowIds, metrics: CacheMetrics) -> None:
        self._follow_ids = follow_ids
        self.shared = LeasedCache(redis, "followers", load=self._load, ttl=TTL, metrics=metrics)

    async def get_many(self, user_ids: Collection[int]) -> dict[int, FollowerIds]:
        """The followers of each user who exists."""
        values = await self.shared.get_many(user_ids)
        return {user_id: _decode(value) for user_id, value in values.items()}

    async def invalidate(self, user_ids: Iterable[int]) -> None:
        """Forget lists that have changed."""
        await self.shared.invalidate(user_ids)

    async def _load(self, user_ids: list[int]) -> dict[int, bytes]:
        lists = await self._follow_ids.whole_lists(user_ids)
        return {user_id: _encode(followers) for user_id, followers in lists.items()}


def _encode(followers: FollowerIds) -> bytes:
    return followers.followers_count.to_bytes(ID_BYTES, "big") + (followers.packed or b"")


def _decode(value: bytes) -> FollowerIds:
    count = int.from_bytes(value[:ID_BYTES], "big")
    packed = value[ID_BYTES:]
    return FollowerIds(count, packed if len(packed) == count * ID_BYTES else None)
