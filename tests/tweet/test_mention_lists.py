"""ListMentions: written with the post, kept to the paging law, without what was deleted."""

from collections.abc import AsyncIterator

import pytest

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.config import Settings
from services.chassis.stores import open_pool
from services.tweet.domain import Span
from services.tweet.store.mention_lists import MentionLists
from services.tweet.store.reads import ANY_ID

from .graph import graph
from .harness import ALICE, BOB, Refused, Tweets, running

CAROL = 1003


@pytest.fixture
async def named(config: Settings, tweets: Tweets) -> AsyncIterator[Tweets]:
    """The service with a Graph that knows alice and bob."""
    assert tweets.dsn == config.tweet_dsn
    async with graph(config) as (settings, _), running(settings) as started:
        yield started


async def _mentions(tweets: Tweets, user: int, size: int = 0) -> list[int]:
    found: list[int] = []
    token = ""
    while True:
        page = await tweets.mentions(user_id=user, page_size=size, page_token=token)
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            return found


async def test_a_post_is_with_whom_it_mentions(named: Tweets) -> None:
    both = await named.create(user=CAROL, status="@alice and @Bob and @ALICE and @nobody")
    await named.create(user=CAROL, status="nobody at all")
    reply = await named.create(user=ALICE, status="@bob", in_reply_to_tweet_id=both.tweet_id)
    assert await _mentions(named, ALICE) == [both.tweet_id]
    assert await _mentions(named, BOB) == [reply.tweet_id, both.tweet_id]
    assert await _mentions(named, CAROL) == []
    page = await named.mentions(user_id=BOB, page_size=1)
    assert page.tweets[0].SerializeToString() == reply.SerializeToString()


async def test_a_repeated_post_mentions_once(named: Tweets) -> None:
    made = [await named.create(key="k", status="@bob") for _ in range(2)]
    assert made[0].tweet_id == made[1].tweet_id
    assert await _mentions(named, BOB) == [made[0].tweet_id]


async def test_imported_tweets_mention_too(named: Tweets) -> None:
    batch = [pb.IngestTweet(user_id=CAROL, status=f"{n} @alice @alice @no") for n in range(45)]
    (ids,) = await named.ingest(pb.IngestTweetsRequest(tweets=batch, request_id="r"))
    await named.ingest(pb.IngestTweetsRequest(tweets=batch, request_id="r"))
    whole = sorted(ids, reverse=True)
    for size in (1, 7, 44, 45, 46, 100):
        assert await _mentions(named, ALICE, size) == whole
    between = await named.mentions(user_id=ALICE, max_id=whole[5], since_id=whole[9])
    assert [tweet.tweet_id for tweet in between.tweets] == whole[5:9]


async def test_deleted_ones_are_gone_and_do_not_end_the_list(named: Tweets) -> None:
    batch = [pb.IngestTweet(user_id=CAROL, status="@bob") for _ in range(30)]
    (ids,) = await named.ingest(pb.IngestTweetsRequest(tweets=batch))
    for tweet_id in ids[3:]:
        await named.delete(tweet_id, user=CAROL)
    assert await _mentions(named, BOB, 2) == sorted(ids[:3], reverse=True)
    async with open_pool(named.dsn, size=1, name="lists") as pool:
        lists = MentionLists(pool, scanned=10)
        page = await lists.page(BOB, Span(ANY_ID, 0, 5))
        assert (page.rows, page.reached) == ([], sorted(ids)[-10])


async def test_bad_pages_are_refused(named: Tweets) -> None:
    for _ in range(2):
        await named.create(status="@alice @bob")
    token = (await named.mentions(user_id=BOB, page_size=1)).next_page_token
    posts = (await named.page(user_id=ALICE, page_size=1)).next_page_token
    for fields, reason in (
        ({"user_id": BOB, "page_size": -1}, "PAGE_SIZE_NEGATIVE"),
        ({"user_id": ALICE, "page_token": token}, "PAGE_TOKEN_INVALID"),
        ({"user_id": BOB, "page_token": token, "max_id": 9}, "PAGE_TOKEN_INVALID"),
        ({"user_id": BOB, "page_token": posts}, "PAGE_TOKEN_INVALID"),
    ):
        with pytest.raises(Refused) as refused:
            await named.mentions(**fields)
        assert refused.value.reason == reason


async def test_without_graph_nobody_is_mentioned_yet(tweets: Tweets) -> None:
    await tweets.create(status="hi @alice")
    assert await tweets.sql("SELECT count(*) FROM mentions") == [(0,)]
