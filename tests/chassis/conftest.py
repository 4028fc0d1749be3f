"""The echo service on both hosts."""

from collections.abc import AsyncIterator

import pytest

from .replica import Replica, replica

HOSTS = ["envoy", "grpcio"]


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    """Each host in turn."""
    return str(request.param)


@pytest.fixture(scope="module", params=HOSTS)
async def echo(request: pytest.FixtureRequest) -> AsyncIterator[Replica]:
    """A replica that a module's tests share."""
    async with replica(request.param) as running:
        assert await running.health() == "SERVING", running.log()
        yield running
