"""A world and a rig for each test."""

from collections.abc import AsyncIterator

import pytest

from .rig import Rig, open_rig
from .world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def rig(redis_url: str, world: World) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, world) as rig:
        yield rig
