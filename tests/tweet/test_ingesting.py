"""IngestTweets: batches in, ids out, durable and idempotent."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.snowflake import unix_ms_of

from .harness import ALICE, BOB, Refused, Tweets

MOMENT = Timestamp(seconds=1_720_000_000, nanos=123_000_000)


def batch(*statuses: str, request_id: str = "") -> pb.IngestTweetsRequest:
    tweets = [pb.IngestTweet(user_id=ALICE, status=status) for status in statuses]
    return pb.IngestTweetsRequest(tweets=tweets, request_id=request_id)


async def test_batches_are_answered_in_order_with_their_events(tweets: Tweets) -> None:
    first, second = await tweets.ingest(batch("a", "b #tag"), batch("c"))
    assert [t.status for t in await tweets.batch_get([*first, *second])] == ["a", "b #tag", "c"]
    assert (await tweets.get(first[1])).entities.hashtags[0].tag == "tag"
    events = await tweets.sql("SELECT event_id, kind FROM events ORDER BY seq")
    assert events == [(tweet_id, "TweetCreated") for tweet_id in (*first, *second)]


async def test_ids_are_minted_for_the_tweets_own_time(tweets: Tweets) -> None:
    old = [pb.IngestTweet(user_id=ALICE, status=f"{n}", create_time=MOMENT) for n in range(500)]
    (ids,) = await tweets.ingest(pb.IngestTweetsRequest(tweets=old))
    assert len(set(ids)) == 500
    assert {unix_ms_of(tweet_id) for tweet_id in ids} == {1_720_000_000_123}
    tweet = await tweets.get(ids[0])
    assert tweet.create_time == MOMENT
    assert await tweets.sql("SELECT DISTINCT flags FROM tweets") == [(32,)]


async def test_replies_may_precede_their_targets(tweets: Tweets) -> None:
    target = (await tweets.create(user=BOB, status="t")).tweet_id
    replies = [
        pb.IngestTweet(user_id=ALICE, status="re", in_reply_to_tweet_id=target),
        pb.IngestTweet(user_id=ALICE, status="re", in_reply_to_tweet_id=77, quote_tweet_id=target),
    ]
    (ids,) = await tweets.ingest(pb.IngestTweetsRequest(tweets=replies))
    known, unknown = await tweets.batch_get(ids)
    assert (known.in_reply_to_user_id, known.conversation_id) == (BOB, target)
    assert (unknown.in_reply_to_tweet_id, unknown.in_reply_to_user_id) == (77, 0)
    assert (unknown.conversation_id, unknown.quote_user_id) == (77, BOB)


async def test_a_batch_is_stored_once_under_its_key(tweets: Tweets) -> None:
    first, again = await tweets.ingest(
        batch("a", "b", request_id="k"), batch("a", "b", request_id="k")
    )
    assert first == again
    assert await tweets.sql("SELECT count(*) FROM tweets") == [(2,)]
    assert await tweets.sql("SELECT count(*) FROM events") == [(2,)]
    with pytest.raises(Refused) as refused:
        await tweets.ingest(batch("other", request_id="k"))
    assert refused.value.reason == "IDEMPOTENCY_MISMATCH"


@pytest.mark.parametrize(
    ("tweet", "reason", "field"),
    [
        (pb.IngestTweet(user_id=ALICE, status=" "), "STATUS_EMPTY", "tweets[1].status"),
        (pb.IngestTweet(user_id=ALICE, status="x" * 281), "STATUS_TOO_LONG", "tweets[1].status"),
        (pb.IngestTweet(status="x"), "INVALID_ARGUMENT", "tweets[1].user_id"),
        (
            pb.IngestTweet(user_id=1, status="x", create_time=Timestamp(seconds=1_600_000_000)),
            "INVALID_ARGUMENT", "tweets[1].create_time",
        ),
        (
            pb.IngestTweet(user_id=1, status="x", create_time=Timestamp(seconds=9_000_000_000)),
            "INVALID_ARGUMENT", "tweets[1].create_time",
        ),
    ],
)  # fmt: skip
async def test_a_bad_tweet_ends_the_stream_and_its_batch_is_not_stored(
    tweets: Tweets, tweet: pb.IngestTweet, reason: str, field: str
) -> None:
    bad = pb.IngestTweetsRequest(tweets=[pb.IngestTweet(user_id=ALICE, status="x"), tweet])
    with pytest.raises(Refused) as refused:
        await tweets.ingest(batch("kept"), bad, batch("never"))
    assert (refused.value.reason, refused.value.fields) == (reason, [field])
    assert await tweets.sql("SELECT status FROM tweets") == [("kept",)]


@pytest.mark.parametrize("size", [0, 1001])
async def test_a_batch_of_the_wrong_size_is_refused(tweets: Tweets, size: int) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.ingest(batch(*["x"] * size))
    assert (refused.value.reason, refused.value.fields) == ("INVALID_ARGUMENT", ["tweets"])
