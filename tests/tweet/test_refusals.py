"""Every refusal of CreateTweet: its reason, its field, its metadata; and nothing is stored."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from aviary.tweet.v1 import tweet_pb2

from .harness import BOB, Refused, Tweets
from .test_posting import pair, point

NAN = float("nan")


def texts(*values: str) -> Value:
    return Value(list_value=ListValue(values=[Value(string_value=value) for value in values]))


def place(longitude: float, latitude: float) -> tweet_pb2.Location:
    return tweet_pb2.Location(longitude=longitude, latitude=latitude)


REFUSALS: list[tuple[dict[str, Any], str, str, dict[str, str]]] = [
    ({}, "STATUS_EMPTY", "status", {"minimum": "1"}),
    ({"status": " \n\t\u3000"}, "STATUS_EMPTY", "status", {}),
    ({"status": "\u200b\u200d\ufeff"}, "STATUS_EMPTY", "status", {}),
    ({"status": "x" * 281}, "STATUS_TOO_LONG", "status", {"length": "281", "maximum": "280"}),
    ({"status": "\U0001f426" * 281}, "STATUS_TOO_LONG", "status", {"length": "281"}),
    (
        {"status": "https://example.com/" + "x" * 300 + " " + "y" * 257},
        "STATUS_TOO_LONG", "status", {"length": "281"},
    ),
    ({"status": "a\0b"}, "INVALID_ARGUMENT", "status", {}),
    ({"status": "a\x1b[31m"}, "INVALID_ARGUMENT", "status", {}),
    ({"status": "a\x85b"}, "INVALID_ARGUMENT", "status", {}),
    ({"status": "a", "tweet_data": "b"}, "INVALID_ARGUMENT", "tweet_data", {}),
    (
        {"status": "a", "in_reply_to_tweet_id": 1},
        "REPLY_TARGET_NOT_FOUND", "in_reply_to_tweet_id", {"tweet_id": "1"},
    ),
    (
        {"status": "a", "in_reply_to_tweet_id": -1},
        "REPLY_TARGET_NOT_FOUND", "in_reply_to_tweet_id", {"tweet_id": "-1"},
    ),
    (
        {"status": "a", "quote_tweet_id": 7},
        "QUOTE_TARGET_NOT_FOUND", "quote_tweet_id", {"tweet_id": "7"},
    ),
    (
        {"status": "a", "media_ids": Value(string_value="ABC987")},
        "MEDIA_NOT_FOUND", "media_ids", {"media_id": "ABC987"},
    ),
    (
        {"status": "a", "media_ids": Value(number_value=12)},
        "MEDIA_NOT_FOUND", "media_ids", {"media_id": "12"},
    ),
    (
        {"status": "a", "media_ids": texts("", "77")},
        "MEDIA_NOT_FOUND", "media_ids", {"media_id": "77"},
    ),
    (
        {"media_ids": texts("77")},
        "MEDIA_NOT_FOUND", "media_ids", {"media_id": "77"},
    ),
    (
        {"status": "a", "media_ids": texts("1", "2", "3", "4", "5")},
        "MEDIA_LIMIT", "media_ids", {"maximum": "4"},
    ),
    (
        {"status": "a", "media_ids": Value(struct_value=Struct())},
        "INVALID_ARGUMENT", "media_ids", {},
    ),
    ({"status": "a", "media_ids": Value(bool_value=True)}, "INVALID_ARGUMENT", "media_ids", {}),
    (
        {"status": "a", "location": place(0, 91)},
        "LOCATION_INVALID", "location.latitude", {"minimum": "-90", "maximum": "90"},
    ),
    (
        {"status": "a", "location": place(-180.5, 0)},
        "LOCATION_INVALID", "location.longitude", {"minimum": "-180", "maximum": "180"},
    ),
    ({"status": "a", "location": place(NAN, 0)}, "LOCATION_INVALID", "location.longitude", {}),
    (
        {"status": "a", "tweet_location": Value(string_value="somewhere")},
        "LOCATION_INVALID", "tweet_location", {},
    ),
    (
        {"status": "a", "tweet_location": Value(string_value="1,2,3")},
        "LOCATION_INVALID", "tweet_location", {},
    ),
    (
        {"status": "a", "tweet_location": Value(string_value="999,0")},
        "LOCATION_INVALID", "tweet_location.longitude", {},
    ),
    (
        {"status": "a", "tweet_location": point(longitude=1)},
        "LOCATION_INVALID", "tweet_location", {},
    ),
    (
        {"status": "a", "tweet_location": Value(number_value=1)},
        "LOCATION_INVALID", "tweet_location", {},
    ),
    (
        {"status": "a", "tweet_location": texts("1", "2")},
        "LOCATION_INVALID", "tweet_location", {},
    ),
    (
        {"status": "a", "user_location": pair(0, -91)},
        "LOCATION_INVALID", "user_location.latitude", {},
    ),
    (
        {"status": "a", "location": place(1, 2), "tweet_location": pair(1, 3)},
        "INVALID_ARGUMENT", "tweet_location", {},
    ),
    (
        {"status": "a", "maximum_results_to_return": -1},
        "INVALID_ARGUMENT", "maximum_results_to_return", {},
    ),
    ({"status": "a", "request_id": "k" * 129}, "IDEMPOTENCY_KEY_INVALID", "request_id", {}),
    ({"status": "a", "user_id": str(BOB)}, "ACTING_FOR_OTHER_USER", "user_id", {}),
    ({"status": "a", "user_id": "bob"}, "INVALID_ARGUMENT", "user_id", {}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "reason", "field", "metadata"), REFUSALS)
async def test_a_bad_post_is_refused_and_nothing_is_stored(
    tweets: Tweets, fields: dict[str, Any], reason: str, field: str, metadata: dict[str, str]
) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.create(**fields)
    assert refused.value.reason == reason
    assert refused.value.fields == [field]
    assert metadata.items() <= refused.value.metadata.items()
    counts = "SELECT (SELECT count(*) FROM tweets) + (SELECT count(*) FROM events)"
    assert await tweets.sql(counts) == [(0,)]


@pytest.mark.parametrize(
    "status",
    [
        "x" * 280,
        "\U0001f426" * 280,
        "e\u0301" * 280,
        "https://example.com/" + "x" * 400,
        "0",
        "\n.\n",
    ],
)
async def test_the_longest_and_shortest_allowed(tweets: Tweets, status: str) -> None:
    assert (await tweets.create(status=status)).tweet_id


async def test_nobody_cannot_post(tweets: Tweets) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.create(user=0, status="a")
    assert refused.value.reason == "UNAUTHENTICATED"


async def test_a_deleted_tweet_is_no_target(tweets: Tweets) -> None:
    gone = (await tweets.create(status="gone")).tweet_id
    await tweets.delete(gone)
    target: dict[str, Any]
    for field in ("in_reply_to_tweet_id", "quote_tweet_id"):
        target = {"status": "a", field: gone}
        with pytest.raises(Refused) as refused:
            await tweets.create(**target)
        assert refused.value.fields == [field]
