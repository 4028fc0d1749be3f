"""One contract: what REST answers is what the edge would have made of the gRPC answer."""

import asyncio
import json
from typing import Any

import pytest
from google.protobuf import json_format

from aviary.timeline.v1 import timeline_service_pb2 as pb
from clients.timeline import TimelineClient

from .world import World

TRICKY = (
    'a "quote" <b>&amp;</b> \u00e4\u0416\U0001f426 \n #tag @nobody https://example.org/?a=1&b=2'
)


@pytest.fixture(scope="module")
async def reader(world: World) -> int:
    """Somebody with a timeline of two pages, of all kinds of tweets."""
    reader, author = await world.new_users(2)
    await world.follow([(reader, author)])
    first = await world.post(author, TRICKY, location={"longitude": 13.4, "latitude": -0.5})
    await world.post(author, "an answer", in_reply_to_tweet_id=first["tweet_id"])
    await world.post(reader, "a quote", quote_tweet_id=first["tweet_id"], sensitive=True)
    for number in range(3):
        await world.post(author, f"number {number}")
    async with asyncio.timeout(5):
        while len(await world.home(reader)) < 6:
            await asyncio.sleep(0.05)
    return reader


@pytest.mark.parametrize("path", ["home_timeline", "user_timeline"])
async def test_rest_is_the_transcoded_answer(world: World, reader: int, path: str) -> None:
    params = {"user_id": str(reader), "page_size": "4"}
    reply = await world.api.get(f"/api/v1/{path}", params=params, headers=world.auth(reader))
    assert reply.headers["content-type"] == "application/json"
    raw = await native(world, reader, path)
    expected = json_format.MessageToDict(
        raw, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert without_counts(reply.json()) == without_counts(expected)
    assert len(reply.json()["tweets"]) == len(raw.tweets) > 0


async def test_a_tweet_on_a_page_is_what_the_edge_makes_of_it(world: World, reader: int) -> None:
    """GetTweet is transcoded by Envoy; its fields are those of a tweet on a page."""
    params = {"user_id": str(reader)}
    page = await world.api.get("/api/v1/home_timeline", params=params, headers=world.auth(reader))
    for tweet in page.json()["tweets"]:
        alone = await world.api.get(f"/api/v1/tweets/{tweet['tweet_id']}")
        assert alone.json() == tweet
    assert any(tweet["status"] == TRICKY for tweet in page.json()["tweets"])


async def test_an_error_is_still_one_shape(world: World, reader: int) -> None:
    params = {"user_id": str(reader), "page_size": "-1"}
    reply = await world.api.get("/api/v1/home_timeline", params=params, headers=world.auth(reader))
    assert reply.status_code == 400
    assert reply.json()["details"][0]["reason"] == "PAGE_SIZE_NEGATIVE"


async def test_a_client_cannot_ask_for_it(world: World, reader: int) -> None:
    """The header that marks a transcoded call is taken from clients: gRPC stays gRPC."""
    async with TimelineClient(world.mesh.edge_url.removeprefix("http://")) as timelines:
        method = timelines.unary(
            "/aviary.timeline.v1.TimelineService/GetHomeTimeline", pb.GetHomeTimelineResponse
        )
        metadata = (*world.auth(reader).items(), ("x-envoy-original-path", "/api/v1/home_timeline"))
        page = await method(pb.GetHomeTimelineRequest(), metadata=metadata)
    assert page.tweets


async def native(world: World, user_id: int, path: str) -> Any:
    """The same page over gRPC."""
    address = world.mesh.edge_url.removeprefix("http://")
    async with TimelineClient(address, token=world.token(user_id)) as timelines:
        if path == "home_timeline":
            return await timelines.home(page_size=4)
        return await timelines.user(str(user_id), page_size=4)


def without_counts(page: Any) -> Any:
    """Followers may be counted between the two answers."""
    text = json.loads(json.dumps(page))
    for user in text["users"]:
        user.pop("followers_count")
    return text
