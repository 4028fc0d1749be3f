"""Whatever shares a transaction, each event has the trace of its own caller."""

import asyncio
import uuid

from google.protobuf.message import Message

from aviary.events.v1.payload_pb2 import TweetFavorited
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import EDGE, REQUEST_ID, TRACE_PARENT, USER_ID, Call

from .harness import ALICE, PATH, Tweets


def parent(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


async def traced(
    tweets: Tweets, method: str, request: Message, number: int, *, request_id: str = ""
) -> bytes:
    """The call of a user of this number, in the trace of this number or of a request id."""
    headers = {USER_ID: str(number).encode(), EDGE: b"1"}
    if request_id:
        headers[REQUEST_ID] = request_id.encode()
    else:
        headers[TRACE_PARENT] = parent(number).encode()
    serve = tweets.server.table[PATH + method].unary
    assert serve is not None
    return await serve(request.SerializeToString(), Call(PATH + method, headers, None))


async def test_posts_that_are_committed_together(tweets: Tweets) -> None:
    numbers = range(2_000, 2_050)
    await asyncio.gather(
        *(traced(tweets, "CreateTweet", pb.CreateTweetRequest(status="x"), n) for n in numbers)
    )
    rows = await tweets.sql(
        "SELECT t.author_id, e.traceparent FROM events e JOIN tweets t ON t.tweet_id = e.event_id"
    )
    assert sorted(rows) == [(number, parent(number)) for number in numbers]
    ((transactions,),) = await tweets.sql("SELECT count(DISTINCT xid) FROM events")
    assert transactions < len(numbers) / 2


async def test_a_request_id_of_the_edge_is_a_trace(tweets: Tweets) -> None:
    request = pb.CreateTweetRequest(status="x")
    given = uuid.UUID("0f0e0d0c-0b0a-4908-8706-050403020100")
    await traced(tweets, "CreateTweet", request, ALICE, request_id=str(given))
    ((found,),) = await tweets.sql("SELECT traceparent FROM events")
    assert found.startswith(f"00-{given.hex}-")
    assert found.endswith("-00")


async def test_engagement_that_is_committed_together(tweets: Tweets) -> None:
    liked = (await tweets.create(status="likeable", user=ALICE)).tweet_id
    await tweets.sql("DELETE FROM events")
    numbers = range(3_000, 3_030)
    favorite, retweet = pb.FavoriteTweetRequest(tweet_id=liked), pb.RetweetRequest(tweet_id=liked)
    await asyncio.gather(
        *(traced(tweets, "FavoriteTweet", favorite, n) for n in numbers),
        *(traced(tweets, "Retweet", retweet, n + 100) for n in numbers),
    )
    rows = await tweets.sql("SELECT payload, traceparent FROM events WHERE kind = 'TweetFavorited'")
    favorites = [(TweetFavorited.FromString(payload).user_id, found) for payload, found in rows]
    assert sorted(favorites) == [(number, parent(number)) for number in numbers]
    retweets = await tweets.sql(
        "SELECT r.user_id, e.traceparent FROM events e JOIN retweets r ON r.retweet_id = e.event_id"
    )
    assert sorted(retweets) == [(number + 100, parent(number + 100)) for number in numbers]
    ((transactions,),) = await tweets.sql("SELECT count(DISTINCT xid) FROM events")
    assert transactions < len(numbers)


async def test_a_deletion(tweets: Tweets) -> None:
    made = await tweets.create(status="x", user=4_000)
    await traced(tweets, "DeleteTweet", pb.DeleteTweetRequest(tweet_id=made.tweet_id), 4_000)
    rows = await tweets.sql("SELECT kind, traceparent FROM events ORDER BY event_id")
    assert rows == [("TweetCreated", ""), ("TweetDeleted", parent(4_000))]
