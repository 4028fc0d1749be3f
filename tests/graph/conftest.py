"""A fresh Graph service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.config import Settings
from services.local.keys import ensure_keys

from .world import World, opened


@pytest.fixture
def settings(dsn: str, redis_url: str, tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path, graph_dsn=dsn, redis_url=redis_url)
    ensure_keys(made)
    return made


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with opened(settings) as world:
        yield world
