"""Retweets: tweets that show another one as it is now, at most one a user."""

import asyncio

import pytest

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets

CAROL = 1003
Known = tuple[Tweets, GraphServicer]


async def test_a_retweet_shows_its_original(known: Known) -> None:
    """S001-06."""
    tweets, _ = known
    original = await tweets.create(status="worth telling https://example.org")
    made = await tweets.retweet(original.tweet_id, BOB)
    assert (made.user_id, made.status) == (BOB, "")
    assert made.retweeted_status.tweet_id == original.tweet_id
    assert made.retweeted_status.status == original.status
    assert made.retweeted_status.retweet_count == 1
    again = await asyncio.gather(*(tweets.retweet(original.tweet_id, BOB) for _ in range(20)))
    assert {retweet.tweet_id for retweet in again} == {made.tweet_id}
    assert (await tweets.get(original.tweet_id)).retweet_count == 1
    assert await tweets.people("ListRetweeters", original.tweet_id) == [BOB]
    [listed] = (await tweets.page(user_id=BOB)).tweets
    assert listed == made
    [created] = await tweets.sql(
        "SELECT payload FROM events WHERE kind = 'TweetCreated' ORDER BY seq DESC LIMIT 1"
    )
    told = payload_pb2.TweetCreated.FromString(created[0]).tweet
    assert told.retweeted_status.status == original.status
    of_retweet = await tweets.retweet(made.tweet_id, CAROL)
    assert of_retweet.retweeted_status.tweet_id == original.tweet_id
    await tweets.favorite(made.tweet_id, CAROL)
    assert await tweets.people("ListFavoriters", made.tweet_id) == [CAROL]
    assert await tweets.people("ListRetweeters", made.tweet_id) == [CAROL, BOB]
    assert (await tweets.get(original.tweet_id)).favorite_count == 1
    shown = await tweets.get(made.tweet_id)
    assert (shown.retweeted_status.favorite_count, shown.favorite_count) == (1, 0)
    await tweets.unretweet(of_retweet.tweet_id, CAROL)
    assert await tweets.people("ListRetweeters", original.tweet_id) == [BOB]


async def test_the_original_stands_once_in_the_bytes(known: Known) -> None:
    """A field that stood there twice would be merged by protobuf and doubled by a JSON writer."""
    tweets, _ = known
    original = await tweets.create(status="once")
    made = await tweets.retweet(original.tweet_id, BOB)
    raw, _ = await tweets.call("GetTweet", pb.GetTweetRequest(tweet_id=made.tweet_id))
    assert len(raw) == len(Tweet.FromString(raw).SerializeToString())


async def test_taking_back(known: Known) -> None:
    tweets, _ = known
    original = await tweets.create(status="x")
    first = await tweets.retweet(original.tweet_id, BOB)
    await tweets.unretweet(original.tweet_id, BOB)
    await tweets.unretweet(original.tweet_id, BOB)
    assert (await tweets.get(original.tweet_id)).retweet_count == 0
    assert not (await tweets.page(user_id=BOB)).tweets
    with pytest.raises(Refused) as refused:
        await tweets.get(first.tweet_id)
    assert refused.value.reason == "TWEET_NOT_FOUND"
    [gone] = await tweets.sql("SELECT payload FROM events WHERE kind = 'TweetDeleted'")
    told = payload_pb2.TweetDeleted.FromString(gone[0])
    assert (told.tweet_id, told.user_id) == (first.tweet_id, BOB)
    assert told.retweeted_tweet_id == original.tweet_id
    second = await tweets.retweet(original.tweet_id, BOB)
    assert second.tweet_id > first.tweet_id
    await tweets.delete(second.tweet_id, user=BOB)  # deleting a retweet takes it back
    assert (await tweets.get(original.tweet_id)).retweet_count == 0
    assert await tweets.people("ListRetweeters", original.tweet_id) == []


async def test_a_reply_to_a_retweet_answers_its_original(known: Known) -> None:
    tweets, _ = known
    original = await tweets.create(status="x")
    retweet = await tweets.retweet(original.tweet_id, BOB)
    reply = await tweets.create(status="y", in_reply_to_tweet_id=retweet.tweet_id)
    assert reply.in_reply_to_tweet_id == original.tweet_id
    assert reply.in_reply_to_user_id == ALICE
    assert reply.conversation_id == original.tweet_id


async def test_counts_of_many_at_once(known: Known) -> None:
    tweets, _ = known
    original = await tweets.create(status="popular")
    users = range(2000, 2300)
    await asyncio.gather(*(tweets.retweet(original.tweet_id, user) for user in users))
    await asyncio.gather(*(tweets.unretweet(original.tweet_id, user) for user in users[::3]))
    assert (await tweets.get(original.tweet_id)).retweet_count == 200
    assert set(await tweets.people("ListRetweeters", original.tweet_id, 90)) == {
        user for n, user in enumerate(users) if n % 3
    }
