"""The world that is measured: people, follows and tweets, made through the internal streams."""

import random
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.local.mesh import Mesh

PEOPLE, FOLLOWEES, TWEETS_EACH, SEED = 2_000, 50, 20, 11
TEXT = "a tweet of an ordinary length, as people write them when they have something to say"


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """A populated mesh."""

    mesh: Mesh
    user_ids: Sequence[int]

    def sample(self, count: int) -> list[int]:
        """Some users, the same ones every time."""
        return random.Random(SEED).sample(list(self.user_ids), count)


async def populate(mesh: Mesh) -> BenchWorld:
    """2,000 people who follow 50 each and have posted 20 times."""
    async with GraphClient(mesh.address("graph")) as graph:
        user_ids = [one async for reply in graph.import_users(_names()) for one in reply.user_ids]
        async for _ in graph.import_follows(_follows(user_ids)):
            pass
    async with TweetClient(mesh.address("tweet")) as tweets:
        async for _ in tweets.ingest(_tweets(user_ids)):
            pass
    return BenchWorld(mesh, user_ids)


async def _names() -> AsyncIterator[Sequence[str]]:
    for start in range(0, PEOPLE, 500):
        yield [f"b{number}" for number in range(start, start + 500)]


async def _follows(user_ids: Sequence[int]) -> AsyncIterator[bytes]:
    dice = random.Random(SEED)
    for start in range(0, len(user_ids), 200):
        pairs = [
            struct.pack(">qq", user, other)
            for user in user_ids[start : start + 200]
            for other in dice.sample(user_ids, FOLLOWEES + 1)
            if other != user
        ]
        yield b"".join(pairs)


async def _tweets(user_ids: Sequence[int]) -> AsyncIterator[tweet_pb.IngestTweetsRequest]:
    dice = random.Random(SEED)
    authors = [user_id for user_id in user_ids for _ in range(TWEETS_EACH)]
    dice.shuffle(authors)
    for start in range(0, len(authors), 1000):
        yield tweet_pb.IngestTweetsRequest(
            tweets=[
                tweet_pb.IngestTweet(user_id=author, status=f"{TEXT} {start}")
                for author in authors[start : start + 1000]
            ]
        )
