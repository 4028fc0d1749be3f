"""The world that is measured, and who reads in it.

Users come through ImportUsers. Follows and tweets are not what is measured, so they are copied into
the tables as clones of one that came through the product's own import; afterwards Redis is emptied,
and nothing of them is in a list or a cache until somebody reads.
"""

import asyncio
import contextlib
import itertools
import random
import struct
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field

import grpc
import redis.asyncio as redis
from google.protobuf.message import Message

from aviary.timeline.v1 import timeline_service_pb2 as timeline_pb
from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.snowflake import id_at, wall_clock_ms
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh

from .rows import bulk, cloned, staged

SEED = 11
FOLLOWEES, FANOUT = 50, 10
TEXT = "a tweet of an ordinary length, as people write them when they have something to say"
HOME = "/aviary.timeline.v1.TimelineService/GetHomeTimeline"
TWEETS_SPAN_MS = 7 * 86_400_000
NAMES_A_BATCH = 2_000
WARMING = 48
"""Reads at a time while lists are built."""
CALL_SECONDS = 30.0
AsUser = Callable[[int, Message], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is."""

    people: int = 20_000
    """Each follows 50 others and has posted `tweets_each` times."""
    tweets_each: int = 10
    active: int = 2_000
    """Of these, how many read: their lists are built before anything is measured."""
    groups: Mapping[int, int] = field(
        default_factory=lambda: {10: 200, 200: 200, 500: 500, 2_000: 200}
    )
    """Further readers: how many follow so many of the people."""
    zipf: int = 500
    """Further readers, of 50 people each who were drawn by Zipf(1.0)."""
    fan: int = 2_000
    """A circle in which everybody has ten followers, and all read."""
    followers: Sequence[int] = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
    """Further authors, each with so many followers, who never read."""


QUICK = Scale(
    people=2_500,
    active=200,
    groups={10: 30, 200: 30, 500: 30, 2_000: 30},
    zipf=30,
    fan=200,
    followers=(10, 1_000, 10_000),
)


@dataclass(frozen=True, slots=True)
class World:
    """A populated mesh: user ids by what they are for."""

    mesh: Mesh
    scale: Scale
    people: Sequence[int]
    readers: Mapping[int, Sequence[int]]
    """By how many they follow; of the people themselves the active ones."""
    zipf_readers: Sequence[int]
    fan: Sequence[int]
    authors: Mapping[int, int]
    """By how many followers they have."""
    tokens: dict[int, str] = field(default_factory=dict)

    def zipf_people(self, count: int, seed: int = SEED) -> list[int]:
        """People drawn by Zipf(1.0), repeatedly."""
        return random.Random(seed).choices(self.people, cum_weights=_zipf(self.people), k=count)

    def token(self, user_id: int) -> str:
        """An access token that no quota hinders."""
        if user_id not in self.tokens:
            signer = TokenSigner(self.mesh.settings.signing_key_path)
            self.tokens[user_id] = signer.sign(user_id, plan="unlimited", lifetime=7200)
        return self.tokens[user_id]

    async def warm(self, user_ids: Iterable[int]) -> None:
        """Have these users read once, which builds their lists."""
        turns = asyncio.Semaphore(WARMING)
        async with calling(self.mesh.address("timeline"), HOME) as call:

            async def read(user_id: int) -> None:
                async with turns:
                    await call(user_id, timeline_pb.GetHomeTimelineRequest(page_size=20))

            await asyncio.gather(*map(read, user_ids))


@contextlib.asynccontextmanager
async def calling(address: str, method: str) -> AsyncIterator[AsUser]:
    """One method of a replica, called in a user's name; the reply's bytes."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(
            method, request_serializer=_serialized, response_deserializer=_unread
        )

        async def as_user(user_id: int, request: Message) -> bytes:
            metadata = (("x-aviary-user-id", str(user_id)),)
            reply: bytes = await call(request, metadata=metadata, timeout=CALL_SECONDS)
            return reply

        yield as_user


async def populate(mesh: Mesh, scale: Scale) -> World:
    """Make the world; the lists of all its readers are built."""
    ids = iter(await _import_users(mesh, scale))

    def some(count: int) -> list[int]:
        return list(itertools.islice(ids, count))

    people = some(scale.people)
    world = World(
        mesh,
        scale,
        people,
        {FOLLOWEES: people[: scale.active], **{n: some(c) for n, c in scale.groups.items()}},
        some(scale.zipf),
        some(scale.fan),
        {followers: some(1)[0] for followers in scale.followers},
    )
    await _follows(world)
    await _tweets(world)
    async with redis.Redis.from_url(mesh.redis_url) as client:
        await client.flushall()
    await world.warm([*itertools.chain(*world.readers.values()), *world.zipf_readers, *world.fan])
    return world


async def _import_users(mesh: Mesh, scale: Scale) -> list[int]:
    count = scale.people + sum(scale.groups.values()) + scale.zipf + scale.fan
    names = [f"b{number}" for number in range(count + len(scale.followers))]

    async def batches() -> AsyncIterator[Sequence[str]]:
        for start in range(0, len(names), NAMES_A_BATCH):
            yield names[start : start + NAMES_A_BATCH]

    async with GraphClient(mesh.address("graph")) as graph:
        return [one async for reply in graph.import_users(batches()) for one in reply.user_ids]


async def _follows(world: World) -> None:
    first = world.people[:2]

    async def one() -> AsyncIterator[bytes]:
        yield struct.pack(">qq", *first)

    async with GraphClient(world.mesh.address("graph")) as graph:
        async for _ in graph.import_follows(one()):
            pass
    async with bulk(world.mesh.dsn("graph")) as connection:
        columns = "user_id bigint, target_user_id bigint"
        await staged(connection, "pairs", columns, _pairs(world))
        for followers, author in world.authors.items():
            await connection.execute(
                "INSERT INTO pairs SELECT n, %s FROM generate_series(1, %s) n", (author, followers)
            )
        ordered = "(SELECT *, row_number() OVER () AS ordinal FROM pairs ORDER BY 1, 2)"
        values = {"user_id": "n.user_id", "target_user_id": "n.target_user_id"}
        await cloned(connection, "follows", ordered, {**values, "follow_id": "n.ordinal"})
        for count, key in (
            ("followers_count", "target_user_id"),
            ("following_count", "user_id"),
        ):
            await connection.execute(
                f"UPDATE users u SET {count} = c.n FROM (SELECT {key} AS id, count(*) AS n"
                f" FROM follows GROUP BY 1) c WHERE u.user_id = c.id".encode()
            )
        await connection.execute("VACUUM ANALYZE follows, users")


def _pairs(world: World) -> Iterator[tuple[int, int]]:
    dice, people = random.Random(SEED), world.people
    groups = [(FOLLOWEES, people), *((n, r) for n, r in world.readers.items() if n != FOLLOWEES)]
    for followees, readers in groups:
        for reader in readers:
            others = dice.sample(people, followees + 1)
            yield from ((reader, other) for other in others[:followees] if other != reader)
    weights = _zipf(people)
    for reader in world.zipf_readers:
        drawn: dict[int, None] = {}
        while len(drawn) < FOLLOWEES:
            drawn.update(dict.fromkeys(dice.choices(people, cum_weights=weights, k=FOLLOWEES)))
        yield from ((reader, other) for other in list(drawn)[:FOLLOWEES])
    circle = world.fan
    for place in range(len(circle)):
        for step in range(1, FANOUT + 1):
            yield circle[place], circle[(place + step) % len(circle)]


async def _tweets(world: World) -> None:
    """Spread over a week that ended a minute ago, in random order of authors."""
    example = tweet_pb.IngestTweet(user_id=world.people[0], status=TEXT)

    async def one() -> AsyncIterator[tweet_pb.IngestTweetsRequest]:
        yield tweet_pb.IngestTweetsRequest(tweets=[example])

    async with TweetClient(world.mesh.address("tweet")) as tweets:
        async for _ in tweets.ingest(one()):
            pass
    authors = [author for author in world.people for _ in range(world.scale.tweets_each)]
    random.Random(SEED).shuffle(authors)
    start, step = wall_clock_ms() - 60_000 - TWEETS_SPAN_MS, TWEETS_SPAN_MS // len(authors)
    rows = ((id_at(start + n * step), author, n) for n, author in enumerate(authors))
    columns = "tweet_id bigint, author_id bigint, number bigint"
    async with bulk(world.mesh.dsn("tweet")) as connection:
        await staged(connection, "written", columns, rows)
        values = {
            "tweet_id": "n.tweet_id",
            "author_id": "n.author_id",
            "status": "t.status || ' ' || n.number",
            "conversation_id": "n.tweet_id",
        }
        await cloned(connection, "tweets", "written", values)
        await connection.execute("VACUUM ANALYZE tweets")


def _zipf(people: Sequence[int]) -> list[float]:
    """Cumulative weights 1, 1/2, 1/3, ..."""
    return list(itertools.accumulate(1 / rank for rank in range(1, len(people) + 1)))


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _unread(reply: bytes) -> bytes:
    return reply
