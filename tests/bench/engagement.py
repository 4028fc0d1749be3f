"""Favourites and retweets of many users, beside a constant reply by the same generator."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.tweet import TweetClient
from tests.chassis.echo_contract import PACKAGE, Echo

from .bench import Bench, some
from .figures import Figure
from .hosts import replica
from .load import raw_rate
from .rawload import write_requests

STAGE = "engagement"
FIGURES = ("constant-raw", "favorite-hot", "favorite-spread", "retweet-hot")
SERVICE = "/aviary.tweet.v1.TweetService/"
IN_FLIGHT = 192
"""A tweet is hot when many users press at once: a batch that commits has the next one waiting."""
SPREAD = 1_000
"""Tweets over which favourites are spread."""
MANY_USERS = 10_000_000
"""Between the first users of two measurements: nobody favourites anything twice."""
_first_users = (n * MANY_USERS for n in itertools.count(1 << 20))


async def engagement(bench: Bench) -> None:
    """Rates of changes that are durable, counted and in the log when they are answered."""
    settings, log = bench.world.mesh.settings, bench.folder / "replicas.log"
    ids = await _tweets(bench, 1 + SPREAD)
    hot = _file(bench, "hot", [pb.FavoriteTweetRequest(tweet_id=ids[0])])
    spread = _file(bench, "spread", [pb.FavoriteTweetRequest(tweet_id=i) for i in ids[1:]])
    shared = _file(bench, "shared", [pb.RetweetRequest(tweet_id=ids[0])])
    constant = bench.folder / "constant"
    write_requests(constant, [Echo(text="hi").SerializeToString()])
    address = bench.world.mesh.address("tweet")
    floor = ("constant-raw",)
    async with replica("tests.chassis.echo", "envoy", settings, log) as echo:
        await bench.take_turns(
            STAGE,
            [
                Figure("constant-raw", "constant reply of a few bytes, gRPC, Envoy host", "calls/s",
                       _rate(echo, f"/{PACKAGE}.EchoService/Unary", constant, 5)),
                Figure("favorite-hot", "favourites of one tweet by many users, gRPC", "calls/s",
                       _rate(address, SERVICE + "FavoriteTweet", hot, 8), floor, bench.drained),
                Figure("favorite-spread", f"favourites over {SPREAD:,} tweets", "calls/s",
                       _rate(address, SERVICE + "FavoriteTweet", spread, 8), floor,
                       bench.drained),
                Figure("retweet-hot", "retweets of one tweet by many users", "calls/s",
                       _rate(address, SERVICE + "Retweet", shared, 100), floor, bench.drained),
            ],
        )  # fmt: skip


def _rate(
    address: str, method: str, file: Path, reply_bytes: int
) -> Callable[[float], Awaitable[float]]:
    async def measure(seconds: float) -> float:
        users = next(_first_users)
        found = await raw_rate(
            address, method, file, seconds, reply_bytes, first_user=users, in_flight=IN_FLIGHT
        )
        return found["rate"]

    return measure


def _file(
    bench: Bench, name: str, requests: Sequence[pb.FavoriteTweetRequest | pb.RetweetRequest]
) -> Path:
    raw = [request.SerializeToString() for request in requests]
    return write_requests(bench.folder / f"engagement-{name}", raw)


async def _tweets(bench: Bench, count: int) -> list[int]:
    (author,) = some(bench.world.people, 1)
    batch = [pb.IngestTweet(user_id=author, status=f"tweet {n}") for n in range(count)]

    async def batches() -> AsyncIterator[pb.IngestTweetsRequest]:
        for start in range(0, count, 1_000):
            yield pb.IngestTweetsRequest(tweets=batch[start : start + 1_000])

    async with TweetClient(bench.world.mesh.address("tweet")) as tweets:
        return [i async for ids in tweets.ingest(batches()) for i in ids]
