"""Trends through the whole mesh, over REST and gRPC."""

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest

from aviary.search.v1 import search_service_pb2 as pb
from aviary.search.v1 import trend_pb2
from clients.channel import Peer

from .eventually import eventually
from .world import World

TRENDS = "/api/v1/trends"


async def volumes(world: World, **query: str) -> dict[str, int]:
    params = {"kind": "TREND_KIND_HASHTAG", "limit": "50", **query}
    reply = await world.api.get(TRENDS, params=params)
    assert reply.status_code == 200, reply.text
    return {trend["name"]: int(trend["volume"]) for trend in reply.json()["trends"]}


async def only(world: World, *names: str) -> dict[str, int]:
    found = await volumes(world)
    return {name: found[name] for name in names if name in found}


async def test_two_hundred_users_make_a_trend_and_one_does_not(world: World) -> None:
    """S001-03, S001-09."""
    users = await world.new_users(200)
    await world.post_all(users, "all about #meshtrend")
    await asyncio.gather(*(world.post(users[0], f"{n} #meshflood") for n in range(200)))
    await eventually(lambda: only(world, "#meshtrend", "#meshflood"), {"#meshtrend": 200})
    first = {"kind": "trend_kind_hashtag", "limit": "1"}
    reply = (await world.api.get(TRENDS, params=first)).json()
    trend = reply["trends"][0]
    assert (trend["rank"], trend["kind"]) == (1, "TREND_KIND_HASHTAG")
    assert trend["query"] == trend["name"]
    assert trend["score"] > 0
    age = time.time() - datetime.fromisoformat(reply["as_of"]).timestamp()
    assert age < 60


async def test_operators_hide_a_trend_and_deletion_takes_back(world: World) -> None:
    users = await world.new_users(12)
    tweets = await asyncio.gather(*(world.post(user, "#hideme #keepme") for user in users))
    await eventually(lambda: only(world, "#hideme", "#keepme"), {"#hideme": 12, "#keepme": 12})
    change = {"kind": "TREND_KIND_HASHTAG", "name": "#HideMe", "hidden": True}
    await world.act(users[0], "PATCH", "/api/v1/admin/trends", change, operator=True)
    await eventually(lambda: only(world, "#hideme", "#keepme"), {"#keepme": 12})
    for user, tweet in list(zip(users, tweets, strict=True))[:5]:
        await world.act(user, "DELETE", f"/api/v1/tweets/{tweet['tweet_id']}")
    await eventually(lambda: only(world, "#keepme"), {"#keepme": 7})


async def test_over_grpc(world: World) -> None:
    users = await world.new_users(10)
    await world.post_all(users, "#grpctrend")
    async with Peer("edge", world.mesh.edge_url.removeprefix("http://")) as edge:
        ask = edge.unary("/aviary.search.v1.SearchService/ListTrends", pb.ListTrendsResponse)

        async def volume() -> list[Any]:
            request = pb.ListTrendsRequest(kind=trend_pb2.TREND_KIND_HASHTAG, limit=50)
            reply = await ask(request)
            return [each.volume for each in reply.trends if each.name == "#grpctrend"]

        await eventually(volume, [10])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"limit": "-1"}, "INVALID_ARGUMENT"),
        ({"user_id": "x"}, "INVALID_ARGUMENT"),
        ({"kind": "TREND_KIND_PERSON"}, "MALFORMED_REQUEST"),
    ],
)
async def test_bad_input(world: World, query: dict[str, str], reason: str) -> None:
    reply = await world.api.get(TRENDS, params=query)
    assert (reply.status_code, reply.json()["details"][0]["reason"]) == (400, reason)


async def test_only_operators_hide(world: World) -> None:
    [user] = await world.new_users(1)
    body = {"kind": "TREND_KIND_HASHTAG", "name": "x", "hidden": True}
    reply = await world.api.patch("/api/v1/admin/trends", json=body, headers=world.auth(user))
    assert (reply.status_code, reply.json()["details"][0]["reason"]) == (403, "SCOPE_MISSING")
    for kind, name in [("TREND_KIND_UNSPECIFIED", "x"), ("TREND_KIND_HASHTAG", "#")]:
        headers = {"authorization": f"Bearer {world.token(user, scopes=('operator',))}"}
        reply = await world.api.patch(
            "/api/v1/admin/trends", json={"kind": kind, "name": name}, headers=headers
        )
        assert reply.status_code == 400, reply.text
