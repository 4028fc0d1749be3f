"""The service behind a real listener, called through its own client."""

from collections.abc import AsyncIterator

import pytest

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.errors import PeerError
from clients.tweet import TweetClient, split_tweets, tweet_id_of
from services.chassis.config import Settings
from services.chassis.hosts import grpcio
from services.chassis.tokens import TokenSigner
from tests.ports import free_port

from .harness import ALICE, BOB, Tweets


@pytest.fixture
async def client(tweets: Tweets) -> AsyncIterator[TweetClient]:
    address = f"127.0.0.1:{free_port()}"
    listener = await grpcio.listen(tweets.server, address)
    async with TweetClient(address) as connected:
        yield connected
    await listener.stop(0)


async def test_the_client_does_all_of_it(client: TweetClient, config: Settings) -> None:
    token = TokenSigner(config.signing_key_path).sign(ALICE)
    made = await client.create(pb.CreateTweetRequest(status="over the wire", auth_token=token))
    assert (made.user_id, made.status) == (ALICE, "over the wire")
    raw = await client.get_raw(made.tweet_id)
    assert raw == made.SerializeToString()

    async def batches() -> AsyncIterator[pb.IngestTweetsRequest]:
        for start in range(0, 250, 50):
            tweets = [pb.IngestTweet(user_id=BOB, status=f"{start + n}") for n in range(50)]
            yield pb.IngestTweetsRequest(tweets=tweets)

    ids = [tweet_id async for batch in client.ingest(batches()) for tweet_id in batch]
    found = await client.batch_get_raw([made.tweet_id, 5, *ids])
    assert list(found) == [made.tweet_id, *ids]
    assert found[made.tweet_id] == raw
    assert all(tweet_id_of(tweet) == tweet_id for tweet_id, tweet in found.items())
    asked = pb.ListUserTweetsRequest(user_id=BOB, page_size=100)
    (page,) = await client.list_user_tweet_ids([asked])
    assert list(page.tweet_ids) == sorted(ids, reverse=True)[:100]
    asked.page_token = page.next_page_token
    (following,) = await client.list_user_tweet_ids([asked])
    assert list(following.tweet_ids) == sorted(ids, reverse=True)[100:200]
    entries = await client.recent_by_authors([ALICE, BOB], 10)
    assert len(entries) == 170
    assert entries[:8] == max(ids).to_bytes(8, "big")
    with pytest.raises(PeerError) as refused:
        await client.delete(made.tweet_id)
    assert refused.value.reason == "UNAUTHENTICATED"
    with pytest.raises(PeerError) as refused:
        await client.get_raw(5)
    assert refused.value.reason == "TWEET_NOT_FOUND"


def test_replies_are_split_without_reading_them() -> None:
    reply = pb.ListUserTweetsResponse(next_page_token="more")
    for number in (1, 300, 1 << 60):
        reply.tweets.add(tweet_id=number, status="x" * (number % 1000))
    tweets, rest = split_tweets(reply.SerializeToString())
    assert [tweet.SerializeToString() for tweet in reply.tweets] == list(tweets.values())
    assert list(tweets) == [1, 300, 1 << 60]
    assert pb.ListUserTweetsResponse.FromString(rest).next_page_token == "more"
    assert split_tweets(b"") == ({}, b"")
