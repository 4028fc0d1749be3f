"""Mixes of calls: DeathStarBench's 60 % home, 30 % user timeline, 10 % posts."""

import json
import random
from collections.abc import Sequence

from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb

from .bench import BASELINE_HOME, BASELINE_USER, HOME_PATH, Bench, some
from .figures import Figure
from .load import Load, RestCall, bearing, grpc_rate
from .posts import CREATE
from .reads import USER
from .world import FOLLOWEES, HOME, SEED, TEXT

STAGE = "mixes"
FIGURES = ("mix-rest", "baseline-mix", "mix-rest-zipf", "baseline-mix-zipf", "mix-grpc")
CALLS = 2_000
HOMES, USERS, POSTS = 6, 3, 1
"""Of ten calls."""


async def mixes(bench: Bench) -> None:
    """Over REST beside the baseline, with authors drawn evenly and by Zipf(1.0), and over gRPC."""
    even = some(bench.world.people, CALLS)
    zipf = bench.world.zipf_people(CALLS)
    await bench.take_turns(
        STAGE,
        [
            bench.rest("mix-rest", "mix 60/30/10, REST", _ours(bench, even),
                       ("baseline-mix",), writes=True),
            bench.rest("baseline-mix", "baseline: mix 60/30/10", _theirs(bench, even)),
            bench.rest("mix-rest-zipf", "mix 60/30/10, REST, Zipf(1.0) authors",
                       _ours(bench, zipf), ("baseline-mix-zipf", "mix-rest"), writes=True),
            bench.rest("baseline-mix-zipf", "baseline: mix 60/30/10, Zipf(1.0) authors",
                       _theirs(bench, zipf)),
            _grpc(bench),
        ],
    )  # fmt: skip


def _ours(bench: Bench, authors: Sequence[int]) -> list[RestCall]:
    """Calls in the mix's shares: readers are the active users, who is read and posts is given."""
    token, dice = bench.world.token, random.Random(SEED)
    readers = bench.world.readers[FOLLOWEES]
    body = json.dumps({"status": TEXT})
    calls = []
    for number, author in enumerate(authors):
        if number % 10 < HOMES:
            calls.append(RestCall("GET", HOME_PATH, token(dice.choice(readers))))
        elif number % 10 < HOMES + USERS:
            path = f"/api/v1/user_timeline?user_id={author}&page_size=20"
            calls.append(RestCall("GET", path, token(dice.choice(readers))))
        else:
            calls.append(RestCall("POST", "/api/v1/tweets", token(author), body))
    return calls


def _theirs(bench: Bench, authors: Sequence[int]) -> list[RestCall]:
    dice, readers = random.Random(SEED), bench.world.readers[FOLLOWEES]
    calls = []
    for number, author in enumerate(authors):
        if number % 10 < HOMES:
            calls.append(RestCall("GET", f"{BASELINE_HOME}{dice.choice(readers)}"))
        elif number % 10 < HOMES + USERS:
            calls.append(RestCall("GET", f"{BASELINE_USER}{author}"))
        else:
            body = json.dumps({"user_id": author, "status": TEXT})
            calls.append(RestCall("POST", "/tweets", body=body))
    return calls


def _grpc(bench: Bench) -> Figure:
    """Through the edge, where all services have one address.

    h2load sends one body with each call, so this one is a request of all three methods: its fields
    mean the caller, whose own timeline is read, and the text, which the two reads do not know.
    """
    request = tweet_pb.CreateTweetRequest(user_id="me", tweet_data=TEXT)
    methods = [HOME] * HOMES + [USER] * USERS + [CREATE] * POSTS
    random.Random(SEED).shuffle(methods)

    async def measure(seconds: float) -> float:
        readers = some(bench.world.readers[FOLLOWEES])
        callers = [bearing(bench.world.token(one)) for one in readers]
        address = bench.world.mesh.edge_url.removeprefix("http://")
        return await grpc_rate(Load(address, methods, request, 1000, callers), seconds)

    title = "mix 60/30/10, gRPC, edge"
    return Figure("mix-grpc", title, "calls/s", measure, settle=bench.drained)
