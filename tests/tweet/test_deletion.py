"""Deletion: gone at once, and then everything that hung on it."""

import asyncio

import pytest

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.tweet.store import deletions

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets

Known = tuple[Tweets, GraphServicer]


async def until_clean(tweets: Tweets) -> None:
    async with asyncio.timeout(10):
        while await tweets.sql("SELECT 1 FROM deletions WHERE clean_time IS NULL"):
            await asyncio.sleep(0.02)


async def test_everything_that_hung_on_it_goes(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "PIECE", 7)
    tweets, _ = known
    made = await tweets.create(status="popular once")
    users = range(2000, 2030)
    retweets = await asyncio.gather(*(tweets.retweet(made.tweet_id, user) for user in users))
    await asyncio.gather(*(tweets.favorite(made.tweet_id, user) for user in users))
    await tweets.delete(made.tweet_id)
    for retweet in retweets:
        with pytest.raises(Refused) as refused:
            await tweets.get(retweet.tweet_id)
        assert refused.value.reason == "TWEET_NOT_FOUND"
    await until_clean(tweets)
    assert await tweets.sql("SELECT count(*) FROM favorites") == [(0,)]
    assert await tweets.sql("SELECT count(*) FROM retweets") == [(0,)]
    assert await tweets.sql("SELECT count(*) FROM tweets WHERE delete_time IS NULL") == [(0,)]
    rows = await tweets.sql("SELECT payload FROM events WHERE kind = 'TweetDeleted'")
    told = [payload_pb2.TweetDeleted.FromString(row[0]) for row in rows]
    assert {one.tweet_id for one in told} == {
        made.tweet_id,
        *(retweet.tweet_id for retweet in retweets),
    }
    assert len(told) == 31


async def test_the_report_says_which_store_is_clean(known: Known) -> None:
    tweets, _ = known
    made = await tweets.create(status="reported")
    await tweets.delete(made.tweet_id)
    await until_clean(tweets)
    other = await tweets.create(user=BOB, status="not deleted")

    async def report(tweet_id: int) -> pb.GetDeletionResponse:
        request = pb.GetDeletionRequest(tweet_id=tweet_id)
        raw, _ = await tweets.call("GetDeletion", request, user=ALICE, operator=True)
        return pb.GetDeletionResponse.FromString(raw)

    found = (await report(made.tweet_id)).deletion
    assert (found.tweet_id, found.user_id) == (made.tweet_id, ALICE)
    assert {"tweets", "tweet_cache", "retweets", "favorites", "moments"} <= {
        s.store for s in found.stores
    }
    assert "search" in found.pending_stores
    record = pb.RecordDeletionsRequest(store="search", tweet_ids=[made.tweet_id, other.tweet_id])
    await tweets.call("RecordDeletions", record)
    found = (await report(made.tweet_id)).deletion
    assert found.stores[-1].store == "search"
    assert found.stores[-1].clean_time.ToNanoseconds() >= found.delete_time.ToNanoseconds()
    assert "search" not in found.pending_stores
    for tweet_id in (other.tweet_id, 987):
        with pytest.raises(Refused) as refused:
            await report(tweet_id)
        assert refused.value.reason == "TWEET_NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await tweets.call("RecordDeletions", pb.RecordDeletionsRequest(store="attic"))
    assert refused.value.fields == ["store"]


async def test_what_a_replica_left_behind_is_cleaned_by_the_next(known: Known) -> None:
    """A crash right behind the commit: nothing but the row in `deletions` tells of it."""
    tweets, _ = known
    made = await tweets.create(status="left behind")
    await tweets.favorite(made.tweet_id, BOB)
    await tweets.sql("UPDATE tweets SET delete_time = now() WHERE tweet_id = %s", made.tweet_id)
    await tweets.sql(
        "INSERT INTO deletions (tweet_id, author_id) VALUES (%s, %s)", made.tweet_id, ALICE
    )
    await until_clean(tweets)
    assert await tweets.sql("SELECT count(*) FROM favorites") == [(0,)]
