"""The service and its worker in this process, over a real Redis and a world in memory."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from prometheus_client import CollectorRegistry

from aviary.events.v1.event_pb2 import Event
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.call import Call
from services.chassis.redis_pipeline import Pipeline
from services.chassis.snowflake import wall_clock_ms
from services.chassis.stores import open_redis
from services.timeline.fanout import Fanout
from services.timeline.mend import Mender
from services.timeline.metrics import FanoutMetrics, ReadMetrics
from services.timeline.policy.domain import Policy, State
from services.timeline.pushing import Pusher
from services.timeline.readers import Freshness, Readers
from services.timeline.servicer.timeline import TimelineServicer
from services.timeline.store import HOME, RING, Kind, Lists, key_of

from .world import World, created

METHOD = "/aviary.timeline.v1.TimelineService/GetHomeTimeline"


class Policies:
    """A policy in memory that a test changes."""

    def __init__(self) -> None:
        self.current = Policy()

    def change(self, **fields: Any) -> None:
        self.current = dataclasses.replace(self.current, **fields)

    def pull(self, *authors: int, state: State = State.PULLED) -> None:
        """Make these, and nobody else, the registry."""
        self.change(states=dict.fromkeys(authors, state), pulled=frozenset(authors))

    async def enter(self, user_ids: Collection[int]) -> None:
        states = {**self.current.states, **dict.fromkeys(user_ids, State.ENTERING)}
        self.change(states=states, pulled=frozenset(states))


class Rig:
    """One replica of the service and one worker; several may share a Redis and a world."""

    def __init__(
        self,
        url: str,
        redis: Any,
        world: World,
        clock_ms: Callable[[], int],
        fresh_seconds: float,
        policies: Any = None,
    ) -> None:
        self.url = url
        self.redis = redis
        self.world = world
        self.registry = CollectorRegistry()
        self.pipeline = Pipeline(redis)
        self.policy: Policies = policies or Policies()
        self.lists = Lists(redis, self.pipeline, self.policy, clock_ms=clock_ms)
        self.ring_lists = Lists(redis, self.pipeline, self.policy, RING, clock_ms)
        fresh = Freshness(content=fresh_seconds, rings=fresh_seconds, verdicts=0)
        self.readers = Readers(
            world,
            world,
            self.lists,
            self.ring_lists,
            self.policy,
            ReadMetrics(self.registry),
            fresh=fresh,
            clock_ms=clock_ms,
        )
        self.builds = self.readers.builds
        self.relations = self.readers.relations
        nothing: Any = None
        self.servicer = TimelineServicer(self.readers, nothing, nothing)
        fanout_metrics = FanoutMetrics(self.registry)
        self.mender = Mender(self.lists, world, world, self.policy, fanout_metrics)
        pusher = Pusher(self.lists, self.ring_lists, self.pipeline, fanout_metrics, clock_ms)
        self.fanout = Fanout(pusher, world, self.policy, fanout_metrics)

    async def deliver(self, *tweets: Tweet) -> None:
        await self.fanout.handle(created(*tweets))

    async def tell(self, *events: Event) -> None:
        """Events of Graph's log, as the worker and the replica's own reading of it see them."""
        await self.mender.handle(events)
        self.relations.forget_all()

    async def home(self, viewer: int, /, **fields: Any) -> pb.GetHomeTimelineResponse:
        request = pb.GetHomeTimelineRequest(**fields)
        raw = await self.servicer.get_home_timeline(request, call_by(viewer))
        return pb.GetHomeTimelineResponse.FromString(raw)

    async def pages(
        self, user_id: int, sizes: Iterable[int], **fields: Any
    ) -> AsyncIterator[list[int]]:
        """A walk page by page to its end, the last size repeated."""
        sizes, token = list(sizes), str(fields.pop("page_token", ""))
        for size in chain(sizes, repeat(sizes[-1])):
            page = await self.home(user_id, page_size=size, page_token=token, **fields)
            assert len(page.tweets) <= size
            yield [tweet.tweet_id for tweet in page.tweets]
            token = page.next_page_token
            if not token:
                return

    async def walk(self, user_id: int, sizes: Iterable[int] = (20,), **fields: Any) -> list[int]:
        return [i async for page in self.pages(user_id, sizes, **fields) for i in page]

    async def entries(self, owner_id: int, kind: Kind = HOME) -> Sequence[bytes]:
        found: Sequence[bytes] = await self.redis.lrange(key_of(owner_id, kind), 0, -1)
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
    policies: Any = None,
) -> AsyncIterator[Rig]:
    async with open_redis(url) as redis:
        rig = Rig(url, redis, world, clock_ms, fresh_seconds, policies)
        async with contextlib.aclosing(rig.readers):
            yield rig


def call_by(user_id: int, method: str = METHOD) -> Call:
    headers = {b"x-aviary-user-id": b"%d" % user_id} if user_id else {}
    return Call(method, headers, None)
