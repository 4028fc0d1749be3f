"""Live streams on both hosts, with clients that do not read and hosts that drain."""

import asyncio
import re
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from aviary.events.v1.payload_pb2 import TweetCreated
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.events.log import NewEvent, append
from tests.ports import free_port
from tests.service_process import service_process

from .live_rig import METHOD, Log, until
from .live_service import AUTHOR

TWEET_BYTES, TWEETS = 32_768, 1_600
BUFFERED_BYTES = 20 << 20
"""What the Envoy host buffers for a stalled client (envoy/replica.yaml), and a little more."""
MAX_OPTION = [("grpc.max_receive_message_length", -1)]


class Process:
    """A replica of the live service in a process of its own."""

    def __init__(
        self, host: str, process: "subprocess.Popen[bytes]", port: int, metrics: int
    ) -> None:
        self.host = host
        self.process = process
        self.port = port
        self._metrics = metrics

    def open(self, viewer: int, channel: Any) -> Any:
        metadata = (("x-aviary-user-id", str(viewer)),)
        return channel.unary_stream(METHOD)(b"", metadata=metadata, wait_for_ready=True)

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=MAX_OPTION)

    async def metric(self, name: str, labels: str = "") -> float:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{self._metrics}/metrics")
        head = f"aviary_timeline_{name}" + (f"{{{labels}}}" if labels else "")
        found = re.search(rf"^{re.escape(head)} (\S+)$", answer.text, re.MULTILINE)
        return float(found[1]) if found else 0.0


@pytest.fixture(params=["envoy", "grpcio"])
async def process(request: pytest.FixtureRequest, log: Log) -> AsyncIterator[Process]:
    with tempfile.TemporaryDirectory(prefix="avi") as folder:
        port, metrics = free_port(), free_port()
        settings = {
            "AVIARY_HOST": str(request.param),
            "AVIARY_GRPC_PORT": str(port),
            "AVIARY_METRICS_PORT": str(metrics),
            "AVIARY_DRAIN_SECONDS": "5",
            "AVIARY_TWEET_ADDRESS": log.address,
            "LIVE_TWEET_BYTES": str(TWEET_BYTES),
            "LIVE_STALL_SECONDS": "1",
        }
        name, home = "tests.timeline.live_service", Path(folder)
        with service_process(name, home, **settings) as process:
            yield Process(str(request.param), process, port, metrics)


async def post(log: Log, first: int, count: int) -> None:
    async with log.pool.connection() as connection, connection.transaction():
        tweets = [Tweet(tweet_id=n, user_id=AUTHOR) for n in range(first, first + count)]
        payloads = [TweetCreated(tweet=tweet).SerializeToString() for tweet in tweets]
        events = [NewEvent(n, 1, "TweetCreated", p) for n, p in enumerate(payloads, first)]
        await append(connection, events)


async def test_a_client_that_never_reads_is_cut_off(log: Log, process: Process) -> None:
    """50 MB are for each of the two; one takes them, the other takes nothing."""
    async with process.channel() as good_channel, process.channel() as stalled_channel:
        good, stalled = process.open(1, good_channel), process.open(1, stalled_channel)
        await good.read()
        await stalled.read()
        async with asyncio.timeout(60):
            await post(log, 1, TWEETS)
            assert await _tweets(good, TWEETS) == TWEETS
            while not await process.metric("closed_streams_total", 'why="slow"'):
                await asyncio.sleep(0.1)
            # Until then the host has taken no more on its behalf than its buffers hold.
            rendered = await process.metric("stream_events_total", 'event="tweet"')
            assert (rendered - TWEETS) * TWEET_BYTES < BUFFERED_BYTES
            assert await process.metric("open_streams") == 1
            if process.host == "envoy":  # grpcio ends such a call for the server only
                with pytest.raises(grpc.aio.AioRpcError):
                    await _tweets(stalled, TWEETS)
        good.cancel()


async def _tweets(call: Any, count: int) -> int:
    """Read until so many tweets have come, or to the end; how many came."""
    found = 0
    while found < count and (piece := await call.read()):
        found += bytes(piece).count(b"event: tweet\n")
    return found


async def test_draining_ends_streams_with_an_event(log: Log, process: Process) -> None:
    async with process.channel() as channel:
        call = process.open(1, channel)
        await call.read()
        process.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            last = b""
            piece: Any
            while piece := await call.read():
                last = pb.StreamHomeTimelineResponse.FromString(piece).event_stream.data
        assert last.startswith(b"event: error\n")
        assert b"draining, reconnect" in last
        assert await call.code() is grpc.StatusCode.OK
    await until(lambda: process.process.poll() is not None)
    assert process.process.returncode == 0
