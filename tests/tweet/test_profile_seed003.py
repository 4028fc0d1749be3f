"""Document 003's call: its names, its limit of 140 characters, and places that can be erased."""

import dataclasses

import pytest
from google.protobuf.struct_pb2 import Value

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.config import Settings

from .harness import ALICE, BOB, Refused, Tweets, running


async def test_the_limit_is_a_setting(config: Settings, redis_url: str) -> None:
    """S003-19: combining marks and URLs are counted by the published rule here too."""
    assert redis_url
    url = "https://example.org/" + "a" * 100
    async with running(dataclasses.replace(config, status_length=140)) as tweets:
        await tweets.create(status="x" * 140)
        await tweets.create(status="e\u0301" * 140)
        await tweets.create(status="x" * 116 + " " + url)
        for status in ("x" * 141, "x" * 117 + " " + url):
            with pytest.raises(Refused) as refused:
                await tweets.create(status=status)
            assert refused.value.metadata["maximum"] == "140"
            assert refused.value.metadata["length"] == "141"


async def test_where_authors_were_is_erased(tweets: Tweets) -> None:
    """S003-21: kept with the tweet, never returned, erased on demand; others' stay."""
    place = Value(string_value="2.35,48.85")
    for user in (ALICE, ALICE, BOB):
        made = await tweets.create(user=user, status="somewhere", user_location=place)
        assert not made.HasField("location")
    await tweets.create(status="nowhere")

    async def places(user: int) -> int:
        rows = await tweets.sql(
            "SELECT count(author_longitude) FROM tweets WHERE author_id = %s", user
        )
        return int(rows[0][0])

    assert (await places(ALICE), await places(BOB)) == (2, 1)
    for expected in (2, 0):
        raw, _ = await tweets.call("EraseLocations", pb.EraseLocationsRequest(), user=ALICE)
        assert pb.EraseLocationsResponse.FromString(raw).erased_count == expected
    assert (await places(ALICE), await places(BOB)) == (0, 1)
    with pytest.raises(Refused) as refused:
        await tweets.call("EraseLocations", pb.EraseLocationsRequest(user_id=str(BOB)), user=ALICE)
    assert refused.value.reason == "ACTING_FOR_OTHER_USER"
