"""A mesh of three zones for the quick drills."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.config import Settings
from services.local.drills.target import Target
from services.local.folders import temporary_home
from services.local.mesh import running

SERVICES = ("tweet", "graph", "timeline", "fanout", "edge")


@pytest.fixture(scope="module")
async def target() -> AsyncIterator[Target]:
    with temporary_home() as home:
        settings = Settings(home=home, edge_port=0, local_replicas=2, local_zones=3)
        async with running(settings, services=SERVICES):
            yield Target(home)
