"""CreateTweet: what is stored, answered and announced."""

import re
from typing import Any

import pytest
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.snowflake import unix_ms_of

from .harness import ALICE, BOB, Tweets


def pair(longitude: float, latitude: float) -> Value:
    numbers = [Value(number_value=longitude), Value(number_value=latitude)]
    return Value(list_value=ListValue(values=numbers))


def point(**fields: float) -> Value:
    struct = Struct()
    struct.update(fields)
    return Value(struct_value=struct)


async def test_the_answer_the_stored_tweet_and_the_event_are_the_same(tweets: Tweets) -> None:
    made = await tweets.create(status="hello, world")
    assert (made.user_id, made.status) == (ALICE, "hello, world")
    assert re.fullmatch(
        r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}", made.created_at
    )
    assert made.create_time.ToMilliseconds() == unix_ms_of(made.tweet_id)
    assert made.url == f"http://aviary.test/api/v1/tweets/{made.tweet_id}"
    assert made.conversation_id == made.tweet_id
    assert made.HasField("entities")
    raw = made.SerializeToString()
    assert (await tweets.get(made.tweet_id)).SerializeToString() == raw
    ((payload, kind, event_id),) = await tweets.sql("SELECT payload, kind, event_id FROM events")
    assert (kind, event_id) == ("TweetCreated", made.tweet_id)
    assert payload_pb2.TweetCreated.FromString(payload).tweet.SerializeToString() == raw
    ((created,),) = await tweets.sql("SELECT create_time FROM tweets")
    assert created == made.create_time.ToDatetime(tzinfo=created.tzinfo)


async def test_the_location_header_is_the_tweets_url(tweets: Tweets) -> None:
    raw, call = await tweets.call("CreateTweet", pb.CreateTweetRequest(status="x"), user=ALICE)
    url = tweet_pb2.Tweet.FromString(raw).url
    assert call.initial == [(b"location", url.encode())]


def test_answers_repeat_the_fields_of_a_tweet() -> None:
    def fields(descriptor: Any) -> dict[int, tuple[Any, ...]]:
        return {
            f.number: (f.name, f.type, f.is_repeated, f.message_type and f.message_type.full_name)
            for f in descriptor.fields
            if f.number < 50
        }

    tweet = fields(tweet_pb2.Tweet.DESCRIPTOR)
    assert tweet
    assert fields(pb.CreateTweetResponse.DESCRIPTOR) == tweet
    assert fields(pb.GetTweetResponse.DESCRIPTOR) == tweet


async def test_a_status_is_kept_in_nfc(tweets: Tweets) -> None:
    assert (
        await tweets.create(status="cafe\u0301 #e\u0301te\u0301")
    ).status == "caf\xe9 #\xe9t\xe9"


async def test_replies_and_quotes_carry_their_targets(tweets: Tweets) -> None:
    first = await tweets.create(status="first")
    reply = await tweets.create(user=BOB, status="re", in_reply_to_tweet_id=first.tweet_id)
    assert (reply.in_reply_to_tweet_id, reply.in_reply_to_user_id) == (first.tweet_id, ALICE)
    assert reply.conversation_id == first.tweet_id
    deeper = await tweets.create(
        status="re re", in_reply_to_tweet_id=reply.tweet_id, quote_tweet_id=first.tweet_id,
        sensitive=True,
    )  # fmt: skip
    assert deeper.in_reply_to_user_id == BOB
    assert (deeper.quote_tweet_id, deeper.quote_user_id) == (first.tweet_id, ALICE)
    assert deeper.conversation_id == first.tweet_id
    assert deeper.sensitive
    rows = await tweets.sql("SELECT flags FROM tweets ORDER BY tweet_id")
    assert rows == [(0,), (1,), (1 | 4 | 16,)]
    assert (await tweets.page(user_id=ALICE)).tweets[0].SerializeToString() == (
        deeper.SerializeToString()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"location": tweet_pb2.Location(longitude=-0.5, latitude=51.25)},
        {"tweet_location": Value(string_value="-0.5,51.25")},
        {"tweet_location": Value(string_value=" -0.5 , +51.25 ")},
        {"tweet_location": pair(-0.5, 51.25)},
        {"tweet_location": point(latitude=51.25, longitude=-0.5)},
        {
            "location": tweet_pb2.Location(longitude=-0.5, latitude=51.25),
            "tweet_location": pair(-0.5, 51.25),
        },
    ],
)
async def test_every_form_of_a_location_is_returned(tweets: Tweets, fields: Any) -> None:
    made = await tweets.create(status="here", **fields)
    assert (made.location.longitude, made.location.latitude) == (-0.5, 51.25)
    assert (await tweets.page(user_id=ALICE)).tweets[0].location == made.location


async def test_the_middle_of_the_map_is_a_place_too(tweets: Tweets) -> None:
    made = await tweets.create(status="null island", location=tweet_pb2.Location())
    assert made.HasField("location")
    assert not (await tweets.create(status="nowhere")).HasField("location")
    null = await tweets.create(status="null", tweet_location=Value(null_value=NULL_VALUE))
    assert not null.HasField("location")


async def test_names_of_document_003_are_accepted(tweets: Tweets) -> None:
    made = await tweets.create(
        tweet_data="from 003",
        tweet_location=Value(string_value="13.4,52.5"),
        user_location=Value(string_value="2.35,48.85"),
        media_ids=Value(string_value=""),
        maximum_results_to_return=1,
    )
    assert made.status == "from 003"
    assert made.location.latitude == 52.5
    assert [tweet.tweet_id for tweet in made.latest_tweets] == [made.tweet_id]
    assert await tweets.sql("SELECT author_longitude, author_latitude FROM tweets") == [
        (2.35, 48.85)
    ]
    assert "48.85" not in str(await tweets.get(made.tweet_id))


async def test_latest_tweets_are_the_authors_newest(tweets: Tweets) -> None:
    await tweets.create(user=BOB, status="not mine")
    earlier = [(await tweets.create(status=f"{n}")).tweet_id for n in range(25)]
    made = await tweets.create(status="now", maximum_results_to_return=3)
    assert [t.tweet_id for t in made.latest_tweets] == [made.tweet_id, earlier[-1], earlier[-2]]
    assert made.latest_tweets[0].status == "now"
    many = await tweets.create(status="more", maximum_results_to_return=1000)
    assert len(many.latest_tweets) == 20
    assert not (await tweets.create(status="none")).latest_tweets


@pytest.mark.parametrize(
    "media_ids",
    [
        Value(null_value=NULL_VALUE),
        Value(string_value=""),
        Value(list_value=ListValue()),
        Value(list_value=ListValue(values=[Value(string_value=""), Value(null_value=NULL_VALUE)])),
    ],
)
async def test_no_media_in_every_form(tweets: Tweets, media_ids: Value) -> None:
    assert (await tweets.create(status="x", media_ids=media_ids)).tweet_id


@pytest.mark.parametrize("user_id", ["", "me", str(ALICE)])
async def test_the_author_is_the_caller_however_named(tweets: Tweets, user_id: str) -> None:
    assert (await tweets.create(status="x", user_id=user_id)).user_id == ALICE
