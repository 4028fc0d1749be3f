"""The service and its worker in this process, over a real Redis and a world in memory."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from prometheus_client import CollectorRegistry

from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.call import Call
from services.chassis.snowflake import wall_clock_ms
from services.chassis.stores import open_redis
from services.timeline.fanout import Fanout
from services.timeline.heads import Heads
from services.timeline.home import HomeTimelines
from services.timeline.hydrate import Hydrator
from services.timeline.metrics import FanoutMetrics, ReadMetrics
from services.timeline.pipeline import Pipeline
from services.timeline.rebuild import Builds
from services.timeline.servicer.timeline import TimelineServicer
from services.timeline.skeleton import Skeleton
from services.timeline.sources import Truth
from services.timeline.store import HomeLists, key_of
from services.timeline.user_timeline import UserTimelines

from .world import World, created

METHOD = "/aviary.timeline.v1.TimelineService/GetHomeTimeline"


class Rig:
    """One replica of the service and one worker; several may share a Redis and a world."""

    def __init__(
        self, url: str, redis: Any, world: World, clock_ms: Callable[[], int], fresh_seconds: float
    ) -> None:
        self.url = url
        self.redis = redis
        self.world = world
        self.registry = CollectorRegistry()
        self.pipeline = Pipeline(redis)
        self.lists = HomeLists(redis, self.pipeline)
        metrics = ReadMetrics(self.registry)
        truth = Truth(world, world)
        hydrator = Hydrator(world, world, fresh_seconds)
        self.builds = Builds(self.lists, truth, metrics)
        skeleton = Skeleton(Heads(self.lists), self.builds, truth, metrics)
        self.servicer = TimelineServicer(
            HomeTimelines(skeleton, hydrator), UserTimelines(world, hydrator), hydrator, self.builds
        )
        self.fanout = Fanout(
            self.lists, self.pipeline, world, FanoutMetrics(self.registry), clock_ms
        )

    async def deliver(self, *tweets: Tweet) -> None:
        await self.fanout.handle(created(*tweets))

    async def home(self, viewer: int, /, **fields: Any) -> pb.GetHomeTimelineResponse:
        request = pb.GetHomeTimelineRequest(**fields)
        raw = await self.servicer.get_home_timeline(request, call_by(viewer))
        return pb.GetHomeTimelineResponse.FromString(raw)

    async def pages(
        self, user_id: int, sizes: Iterable[int], **fields: Any
    ) -> AsyncIterator[list[int]]:
        """A walk page by page to its end, the last size repeated."""
        sizes, token = list(sizes), ""
        for size in chain(sizes, repeat(sizes[-1])):
            page = await self.home(user_id, page_size=size, page_token=token, **fields)
            assert len(page.tweets) <= size
            yield [tweet.tweet_id for tweet in page.tweets]
            token = page.next_page_token
            if not token:
                return

    async def walk(self, user_id: int, sizes: Iterable[int] = (20,), **fields: Any) -> list[int]:
        return [i async for page in self.pages(user_id, sizes, **fields) for i in page]

    async def entries(self, user_id: int) -> Sequence[bytes]:
        found: Sequence[bytes] = await self.redis.lrange(key_of(user_id), 0, -1)
        return found

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@contextlib.asynccontextmanager
async def open_rig(
    url: str,
    world: World,
    *,
    clock_ms: Callable[[], int] = wall_clock_ms,
    fresh_seconds: float = 3.0,
) -> AsyncIterator[Rig]:
    async with open_redis(url) as redis:
        rig = Rig(url, redis, world, clock_ms, fresh_seconds)
        async with contextlib.aclosing(rig.builds):
            yield rig


def call_by(user_id: int, method: str = METHOD) -> Call:
    headers = {b"x-aviary-user-id": b"%d" % user_id} if user_id else {}
    return Call(method, headers, None)
