"""Replicas with live streams over a real log in PostgreSQL; content from a world in memory."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from google.protobuf.message import Message
from prometheus_client import CollectorRegistry

from aviary.events.v1 import payload_pb2
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.channel import Peer
from services.chassis import stores
from services.chassis.call import Call
from services.chassis.events.log import NewEvent, append
from services.chassis.server import Server
from services.timeline.home import HomeTimelines
from services.timeline.hydrate import Hydrator
from services.timeline.live.history import History
from services.timeline.live.live import LiveTimelines, open_live
from services.timeline.parents import Parents
from services.timeline.relations import RelationsCache
from services.timeline.servicer.streams import StreamMethods
from tests.event_log import ServedLog, log_server

from .world import World

METHOD = "/aviary.timeline.v1.TimelineService/StreamHomeTimeline"
SECONDS = 15.0


async def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Log(ServedLog):
    """One database's event log, in which this world's tweets and follows are recorded."""

    def __init__(self, pool: stores.Pool, world: World, server: Server) -> None:
        super().__init__(pool, server)
        self.world = world
        self._made = 0

    async def post(self, author: int, *, delay: float = 0.0, **fields: Any) -> Tweet:
        """Post; the transaction stays open for `delay` seconds after it has its number."""
        tweet = self.world.post(author, **fields)
        await self.append(payload_pb2.TweetCreated(tweet=tweet), author, delay)
        return tweet

    async def delete(self, tweet: Tweet) -> None:
        del self.world.tweets[tweet.tweet_id]
        gone = payload_pb2.TweetDeleted(tweet_id=tweet.tweet_id, user_id=tweet.user_id)
        await self.append(gone, tweet.user_id)

    async def follow(self, user_id: int, target: int) -> None:
        self.world.follow(user_id, target)
        event = payload_pb2.UserFollowed(user_id=user_id, target_user_id=target)
        await self.append(event, user_id)

    async def append(self, payload: Message, key: int, delay: float = 0.0) -> None:
        self._made += 1
        kind = payload.DESCRIPTOR.name
        event = NewEvent(self._made, key, kind, payload.SerializeToString())
        async with self.pool.connection() as connection, connection.transaction():
            await append(connection, [event])
            await asyncio.sleep(delay)


class Replica:
    """One replica's live part."""

    def __init__(
        self, live: LiveTimelines, registry: CollectorRegistry, draining: asyncio.Event
    ) -> None:
        self.live = live
        self.servicer = StreamMethods(live)
        self.registry = registry
        self.draining = draining

    def open(self, viewer: int, last_event_id: str = "") -> "Client":
        return Client(self, viewer, last_event_id)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"aviary_timeline_{name}", labels) or 0.0


class Client:
    """What a browser does: reads blocks, remembers the last cursor."""

    def __init__(self, replica: Replica, viewer: int, last_event_id: str) -> None:
        self.last_event_id = last_event_id
        self.events: list[tuple[str, Any, str]] = []
        """Kind, data, and the cursor afterwards."""
        self.pieces: list[pb.StreamHomeTimelineResponse] = []
        self.paused = asyncio.Event()
        self.paused.set()
        headers = {b"x-aviary-user-id": b"%d" % viewer, b"last-event-id": last_event_id.encode()}
        call = Call(METHOD, headers, None)
        self._replies = replica.servicer.stream_home_timeline(pb.StreamHomeTimelineRequest(), call)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with contextlib.aclosing(self._replies) as replies:
            async for reply in replies:
                self.pieces.append(reply)
                self._parse(reply.event_stream.data.decode())
                await self.paused.wait()

    def _parse(self, text: str) -> None:
        assert text.endswith("\n\n")
        for block in text[:-2].split("\n\n"):
            fields: dict[str, str] = {}
            for line in block.split("\n"):
                name, _, value = line.partition(":")
                assert name not in fields, block
                fields[name] = value.removeprefix(" ")
            self.last_event_id = fields.get("id", self.last_event_id)
            if "data" in fields:
                data = json.loads(fields["data"])
                self.events.append((fields["event"], data, self.last_event_id))

    async def opened(self) -> "Client":
        await until(lambda: bool(self.pieces) or self.task.done())
        if self.task.done():
            await self.task
        return self

    def of(self, kind: str) -> list[Any]:
        return [data for event, data, _ in self.events if event == kind]

    @property
    def tweet_ids(self) -> list[int]:
        return [int(page["tweets"][0]["tweet_id"]) for page in self.of("tweet")]

    async def until_tweets(self, count: int) -> None:
        await until(lambda: len(self.tweet_ids) >= count)

    async def cut(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@contextlib.asynccontextmanager
async def open_log(dsn: str, world: World) -> AsyncIterator[Log]:
    async with log_server(dsn, size=16) as (pool, server):
        yield Log(pool, world, server)


@contextlib.asynccontextmanager
async def open_replica(
    log: Log, *, history: History | None = None, fresh_seconds: float = 3.0
) -> AsyncIterator[Replica]:
    world, registry, draining = log.world, CollectorRegistry(), asyncio.Event()
    hydrator = Hydrator(world, world, fresh_seconds)
    relations = RelationsCache(world)
    home = HomeTimelines(cast(Any, None), hydrator, Parents(hydrator))
    async with (
        Peer("tweet", log.address) as tweets,
        Peer("graph", log.address) as graph,
        open_live(
            tweets=tweets, graph=graph, relations=relations, hydrator=hydrator, home=home,
            draining=draining, registry=registry, history=history,
        ) as live,
    ):  # fmt: skip
        yield Replica(live, registry, draining)
