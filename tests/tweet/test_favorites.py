"""Favourites: idempotent, and counted as they are listed, whatever happens at once."""

import asyncio
import random

import pytest

from aviary.events.v1 import payload_pb2
from aviary.graph.v1.visibility_pb2 import VisibilityRule
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.config import Settings

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets, running

CAROL = 1003
Known = tuple[Tweets, GraphServicer]


async def _counts(tweets: Tweets) -> list[tuple[int, int, int]]:
    """Tweets whose count is not that of their list: the id, the count, the list's length."""
    rows = await tweets.sql(
        "SELECT tweet_id, coalesce(favorite_count, 0), (SELECT count(*) FROM favorites f"
        " WHERE f.tweet_id = t.tweet_id) FROM tweets t LEFT JOIN tweet_counts USING (tweet_id)"
        " WHERE delete_time IS NULL"
    )
    return [(row[0], row[1], row[2]) for row in rows if row[1] != row[2]]


async def test_twice_is_once(known: Known) -> None:
    """S003-03, S001-44: from 50 connections at once the count grows by one."""
    tweets, _ = known
    made = await tweets.create(status="likeable")
    await asyncio.gather(*(tweets.favorite(made.tweet_id, BOB) for _ in range(50)))
    assert await tweets.favorite(made.tweet_id, BOB) == 1
    assert await tweets.favorite(made.tweet_id, CAROL) == 2
    assert await tweets.people("ListFavoriters", made.tweet_id) == [CAROL, BOB]
    assert (await tweets.get(made.tweet_id)).favorite_count == 2
    events = await tweets.sql("SELECT payload FROM events WHERE kind = 'TweetFavorited'")
    told = [payload_pb2.TweetFavorited.FromString(row[0]) for row in events]
    assert [(one.tweet_id, one.user_id, one.author_user_id) for one in told] == [
        (made.tweet_id, BOB, ALICE), (made.tweet_id, CAROL, ALICE),
    ]  # fmt: skip
    assert await tweets.favorite(made.tweet_id, BOB, wanted=False) == 1
    assert await tweets.favorite(made.tweet_id, BOB, wanted=False) == 1
    assert await tweets.people("ListFavoriters", made.tweet_id) == [CAROL]
    assert (await tweets.get(made.tweet_id)).favorite_count == 1


async def test_counts_are_those_of_the_lists_after_any_storm(
    known: Known, config: Settings
) -> None:
    """Two replicas, 5 tweets, 20 users, 2,000 changes, and connections that break in between."""
    tweets, _ = known
    ids = [(await tweets.create(status=f"{n}")).tweet_id for n in range(5)]
    chance = random.Random(11)
    slots = asyncio.Semaphore(64)
    failed = 0

    async def change(replica: Tweets) -> None:
        nonlocal failed
        async with slots:
            wanted = chance.random() < 0.6
            try:
                await replica.favorite(chance.choice(ids), chance.randrange(1, 21), wanted=wanted)
            except Refused:
                failed += 1

    async def disturb() -> None:
        for _ in range(8):
            await asyncio.sleep(0.05)
            await tweets.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                " pg_backend_pid() AND datname = current_database() AND state <> 'idle'"
                " AND query ILIKE '%favorites%'"
            )

    async with running(config) as other:
        await asyncio.gather(disturb(), *(change(r) for r in (tweets, other) for _ in range(1000)))
    assert failed < 1000
    assert await _counts(tweets) == []
    likes = await tweets.sql("SELECT count(*) FROM favorites")
    assert likes != [(0,)]


async def test_what_is_liked_is_listed_by_the_latest_like(known: Known) -> None:
    tweets, servicer = known
    ids = [(await tweets.create(status=f"{n}")).tweet_id for n in range(25)]
    order = ids[::2] + ids[1::2]
    for tweet_id in order:
        await tweets.favorite(tweet_id, BOB)
    found: list[int] = []
    token = ""
    while True:
        request = pb.ListFavoritesRequest(user_id=str(BOB), page_size=4, page_token=token)
        raw, _ = await tweets.call("ListFavorites", request, user=CAROL, edge=True)
        page = pb.ListFavoritesResponse.FromString(raw)
        found += [tweet.tweet_id for tweet in page.tweets]
        assert [user.user_id for user in page.users] == [ALICE]
        token = page.next_page_token
        if not token:
            break
        await tweets.favorite((await tweets.create(status="new")).tweet_id, BOB)
    assert found == order[::-1]
    raw, _ = await tweets.call("ListFavorites", pb.ListFavoritesRequest(), user=BOB, edge=True)
    own = pb.ListFavoritesResponse.FromString(raw)
    assert list(own.viewer.favorited_tweet_ids) == [tweet.tweet_id for tweet in own.tweets]
    servicer._hidden = {(CAROL, BOB): VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED}
    await asyncio.sleep(1.1)
    with pytest.raises(Refused) as refused:
        await tweets.call(
            "ListFavorites", pb.ListFavoritesRequest(user_id=str(BOB)), user=CAROL, edge=True
        )
    assert refused.value.reason == "USER_NOT_VISIBLE"


async def test_who_may_not_see_it_may_not_like_it(known: Known) -> None:
    tweets, servicer = known
    made = await tweets.create(status="mine")
    servicer._hidden = {
        (BOB, ALICE): VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR,
        (CAROL, ALICE): VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED,
    }
    for method, message in (
        ("FavoriteTweet", pb.FavoriteTweetRequest(tweet_id=made.tweet_id)),
        ("Retweet", pb.RetweetRequest(tweet_id=made.tweet_id)),
    ):
        for user, reason in ((BOB, "BLOCKED"), (CAROL, "TWEET_NOT_FOUND"), (0, "UNAUTHENTICATED")):
            with pytest.raises(Refused) as refused:
                await tweets.call(method, message, user=user, edge=True)
            assert refused.value.reason == reason
    assert (await tweets.get(made.tweet_id)).favorite_count == 0
    assert await tweets.sql("SELECT count(*) FROM tweet_counts WHERE favorite_count > 0") == [(0,)]


@pytest.mark.parametrize("method", ["FavoriteTweet", "UnfavoriteTweet", "Retweet"])
async def test_what_is_not_there(known: Known, method: str) -> None:
    tweets, _ = known
    gone = await tweets.create(status="gone soon")
    await tweets.favorite(gone.tweet_id, BOB)
    await tweets.delete(gone.tweet_id)
    request = {
        "FavoriteTweet": pb.FavoriteTweetRequest,
        "UnfavoriteTweet": pb.UnfavoriteTweetRequest,
        "Retweet": pb.RetweetRequest,
    }[method]
    for tweet_id in (987, gone.tweet_id):
        with pytest.raises(Refused) as refused:
            await tweets.call(method, request(tweet_id=tweet_id), user=CAROL, edge=True)
        assert refused.value.reason == "TWEET_NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await tweets.call(
            method, request(tweet_id=gone.tweet_id, user_id=str(BOB)), user=CAROL, edge=True
        )
    assert refused.value.reason == "ACTING_FOR_OTHER_USER"


async def test_viewers_are_told_what_they_did(known: Known) -> None:
    tweets, _ = known
    ids = [(await tweets.create(status=f"{n}")).tweet_id for n in range(205)]
    for tweet_id in ids[1:]:
        await tweets.favorite(tweet_id, BOB)
    await tweets.retweet(ids[0], BOB)
    raw, _ = await tweets.call("BatchGetViewers", pb.BatchGetViewersRequest(user_ids=[BOB, CAROL]))
    known_of = {one.user_id: one for one in pb.BatchGetViewersResponse.FromString(raw).viewers}
    assert not known_of[CAROL].viewer.favorited_tweet_ids
    assert known_of[CAROL].since_id == 0
    newest = set(known_of[BOB].viewer.favorited_tweet_ids)
    assert newest == set(ids[5:])
    assert list(known_of[BOB].viewer.retweeted_tweet_ids) == [ids[0]]
    since = known_of[BOB].since_id
    assert all(tweet_id in newest for tweet_id in ids if tweet_id > since)
    raw, _ = await tweets.call("GetViewer", pb.GetViewerRequest(user_id=BOB, tweet_ids=ids[:3]))
    viewer = pb.GetViewerResponse.FromString(raw).viewer
    assert sorted(viewer.favorited_tweet_ids) == ids[1:3]
    assert list(viewer.retweeted_tweet_ids) == [ids[0]]
