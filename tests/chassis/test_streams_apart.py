"""Open streams do not use up the room of short calls."""

from collections.abc import AsyncIterator

import grpc
import pytest

from .echo_contract import Echo
from .replica import Replica, replica


@pytest.fixture
async def narrow(host: str) -> AsyncIterator[Replica]:
    async with replica(host, AVIARY_MAX_IN_FLIGHT="1") as running:
        assert await running.health() == "SERVING", running.log()
        yield running


async def test_streams_are_counted_apart(narrow: Replica) -> None:
    streams = [narrow.method("ServerStream")(Echo(text="slow", count=1000)) for _ in range(3)]
    for stream in streams:
        await stream.read()
    assert (await narrow.method("Unary")(Echo(text="here"))).text == "here"
    slow = narrow.method("Unary")(Echo(text="sleep", count=3000))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        while not slow.done():  # it may not have arrived yet
            await narrow.method("Unary")(Echo(text="here"))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for stream in [*streams, slow]:
        stream.cancel()
