"""A world and a rig for each test."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.stores import Pool, migrate, open_pool
from services.timeline.policy.store import PolicyStore
from services.timeline.worker import MIGRATIONS

from .live_rig import Log, Replica, open_log, open_replica
from .rig import Rig, open_rig
from .world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def rig(redis_url: str, world: World) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, world) as rig:
        yield rig


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    await migrate(dsn, MIGRATIONS, chassis=False)
    async with open_pool(dsn, size=4, name="policy") as pool:
        yield pool


@pytest.fixture
def store(pool: Pool) -> PolicyStore:
    return PolicyStore(pool)


@pytest.fixture
async def log(dsn: str, world: World) -> AsyncIterator[Log]:
    async with open_log(dsn, world) as log, log.serve():
        yield log


@pytest.fixture
async def replica(log: Log) -> AsyncIterator[Replica]:
    async with open_replica(log) as replica:
        yield replica
