"""What is measured: each figure as a coroutine that runs for a while and gives a rate."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from aviary.timeline.v1 import timeline_service_pb2 as timeline_pb
from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from tests.chassis.echo_contract import PACKAGE, Echo

from .load import Load, grpc_rate, rest_rate
from .world import TEXT, BenchWorld

SCRIPT = Path(__file__).with_name("home.lua")
READERS = 8
"""Load processes of a gRPC read, each for another user."""
Measure = Callable[[float], Awaitable[float]]


@dataclass(slots=True)
class Figure:
    """One line of the table; `measure` runs for so many seconds and gives a rate per second."""

    name: str
    unit: str
    measure: Measure
    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the range, relative to the median."""
        return (max(self.rounds) - min(self.rounds)) / 2 / self.median


def constant(host: str, address: str) -> Figure:
    """A reply of a few bytes: what the host itself costs, with our whole chassis."""
    load = Load(address, f"/{PACKAGE}.EchoService/Unary", Echo(text="hi"), (0, 0, 0, 0))
    return Figure(f"constant reply, {host} host", "replies/s", lambda s: grpc_rate(load, s))


def page_floor(host: str, address: str, size: int) -> Figure:
    """A constant reply as large as a page of the home timeline: the floor of a read."""
    load = Load(
        address, f"/{PACKAGE}.EchoService/Unary", Echo(text="grow", count=size), (0, 0, 0, 0)
    )
    name = f"constant reply of {size / 1000:.1f} kB, {host} host"
    return Figure(name, "replies/s", lambda s: grpc_rate(load, s))


def home_grpc(host: str, address: str, world: BenchWorld) -> Figure:
    """A page of 20 tweets, hydrated, for several users at once."""
    load = Load(
        address,
        "/aviary.timeline.v1.TimelineService/GetHomeTimeline",
        timeline_pb.GetHomeTimelineRequest(page_size=20),
        tuple(world.sample(READERS)),
    )
    return Figure(
        f"home timeline of 20, gRPC, {host} host", "reads/s", lambda s: grpc_rate(load, s)
    )


def home_rest(world: BenchWorld, tokens: Path) -> Figure:
    """The same through the edge as JSON, for random users."""

    async def measure(seconds: float) -> float:
        rate, _p99 = await rest_rate(world.mesh.edge_url, SCRIPT, seconds, [str(tokens)])
        return rate

    return Figure("home timeline of 20, REST through the edge", "reads/s", measure)


def posts_grpc(world: BenchWorld) -> Figure:
    """Durable posts: tweet, idempotency check and event, fsync on; fan-out runs beside it."""
    load = Load(
        world.mesh.address("tweet"),
        "/aviary.tweet.v1.TweetService/CreateTweet",
        tweet_pb.CreateTweetRequest(status=TEXT),
        tuple(random.Random(5).sample(list(world.user_ids), 4)),
    )
    return Figure("post, gRPC, envoy host", "posts/s", lambda s: grpc_rate(load, s))


def timed(name: str, unit: str, work: Callable[[], Awaitable[int]]) -> Figure:
    """A figure of our own code: repeats `work`, which says how much it did, for a while."""

    async def measure(seconds: float) -> float:
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < seconds:
            done += await work()
        return done / (time.perf_counter() - started)

    return Figure(name, unit, measure)
