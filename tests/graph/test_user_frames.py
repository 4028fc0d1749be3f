"""A user who changes while others are loaded stays in the answer."""

import asyncio
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from services.chassis.stores import open_redis
from services.graph.store.leased_cache import CacheMetrics
from services.graph.store.user_cache import UserCache


class SlowUsers:
    """PostgreSQL, which answers for user 2 when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def get_many(self, user_ids: list[int]) -> list[Any]:
        if 2 in user_ids:
            self.asked.set()
            await self.answer.wait()
        return [SimpleNamespace(user_id=user_id) for user_id in user_ids]


async def test_who_is_invalidated_meanwhile_is_not_left_out(redis_url: str) -> None:
    users: Any = SlowUsers()
    async with open_redis(redis_url) as client:
        cache = UserCache(
            client,
            users,
            encode=lambda user: b"user %d" % user.user_id,
            metrics=CacheMetrics(CollectorRegistry()),
        )
        assert b"user 1" in await cache.join([1])
        joining = asyncio.create_task(cache.join([1, 2]))
        await users.asked.wait()
        await cache.invalidate([1])
        users.answer.set()
        joined = await joining
    assert b"user 1" in joined
    assert b"user 2" in joined
