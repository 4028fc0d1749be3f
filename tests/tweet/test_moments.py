"""Moments: titled collections in their maker's order (S003-15)."""

import random
from typing import Any

import pytest

from aviary.graph.v1.visibility_pb2 import VisibilityRule
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.tweet import domain_moments
from services.tweet.domain_moments import MAX_TWEETS, Ranked, placed, ranked

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets

CAROL = 1003
Known = tuple[Tweets, GraphServicer]


async def make(tweets: Tweets, *tweet_ids: int, key: str = "", **fields: Any) -> int:
    fields = {"title": "Best of", **fields}
    request = pb.CreateMomentRequest(tweet_ids=tweet_ids, **fields)
    raw, _ = await tweets.call("CreateMoment", request, user=ALICE, key=key, edge=True)
    return pb.CreateMomentResponse.FromString(raw).moment.moment_id


async def add(tweets: Tweets, moment: int, tweet: int, position: int | None = None) -> None:
    request = pb.AddMomentTweetRequest(moment_id=moment, tweet_id=tweet, position=position)
    await tweets.call("AddMomentTweet", request, user=ALICE, edge=True)


async def read(tweets: Tweets, moment: int, user: int = BOB, **fields: Any) -> pb.GetMomentResponse:
    request = pb.GetMomentRequest(moment_id=moment, **fields)
    raw, _ = await tweets.call("GetMoment", request, user=user, edge=True)
    return pb.GetMomentResponse.FromString(raw)


async def order(tweets: Tweets, moment: int, page_size: int = 3) -> list[int]:
    found: list[int] = []
    token = ""
    while True:
        page = await read(tweets, moment, page_size=page_size, page_token=token)
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            return found


async def posts(tweets: Tweets, count: int, user: int = BOB) -> list[int]:
    return [(await tweets.create(user=user, status=f"{n}")).tweet_id for n in range(count)]


async def test_make_add_move_remove_and_delete(known: Known) -> None:
    tweets, _ = known
    ids = await posts(tweets, 8)
    moment = await make(tweets, *ids[:5], description="of this week")
    assert await order(tweets, moment) == ids[:5]
    await add(tweets, moment, ids[5])
    await add(tweets, moment, ids[6], 0)
    await add(tweets, moment, ids[0], 3)
    await add(tweets, moment, ids[0])  # is there already: stays
    assert await order(tweets, moment) == [ids[n] for n in (6, 1, 2, 0, 3, 4, 5)]
    for _ in range(2):
        request = pb.RemoveMomentTweetRequest(moment_id=moment, tweet_id=ids[2])
        await tweets.call("RemoveMomentTweet", request, user=ALICE, edge=True)
    page = await read(tweets, moment)
    assert (page.moment.tweet_count, page.moment.title) == (6, "Best of")
    assert {user.user_id for user in page.users} == {ALICE, BOB}
    change = pb.UpdateMomentRequest(moment_id=moment, title="  Worst of ")
    raw, _ = await tweets.call("UpdateMoment", change, user=ALICE, edge=True)
    changed = pb.UpdateMomentResponse.FromString(raw).moment
    assert (changed.title, changed.description) == ("Worst of", "of this week")
    assert changed.update_time.ToNanoseconds() > changed.create_time.ToNanoseconds()
    await tweets.call("DeleteMoment", pb.DeleteMomentRequest(moment_id=moment), user=ALICE)
    with pytest.raises(Refused) as refused:
        await read(tweets, moment)
    assert refused.value.reason == "MOMENT_NOT_FOUND"
    assert (await tweets.get(ids[0])).tweet_id == ids[0]


async def test_deleted_and_hidden_tweets_drop_out(known: Known) -> None:
    tweets, servicer = known
    mine, theirs = await posts(tweets, 4), await posts(tweets, 3, CAROL)
    mixed = [mine[0], theirs[0], mine[1], theirs[1], mine[2], theirs[2], mine[3]]
    moment = await make(tweets, *mixed)
    await tweets.delete(mine[1], user=BOB)
    assert await order(tweets, moment, 2) == [i for i in mixed if i != mine[1]]
    servicer._hidden = {(1004, CAROL): VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED}
    page = await read(tweets, moment, user=1004)
    assert [tweet.tweet_id for tweet in page.tweets] == [mine[0], mine[2], mine[3]]


async def test_pages_under_changes_neither_repeat_nor_skip(known: Known) -> None:
    tweets, _ = known
    ids = await posts(tweets, 20)
    moment = await make(tweets, *ids[:12])
    seen: list[int] = []
    token, extra = "", iter(ids[12:])
    while True:
        page = await read(tweets, moment, page_size=3, page_token=token)
        seen += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            break
        await add(tweets, moment, next(extra), 0)
        gone = pb.RemoveMomentTweetRequest(moment_id=moment, tweet_id=seen[-1])
        await tweets.call("RemoveMomentTweet", gone, user=ALICE)
    assert seen == ids[:12]


async def test_the_same_key_makes_one_moment(known: Known) -> None:
    tweets, _ = known
    first = await make(tweets, key="k", title="one")
    assert await make(tweets, key="k", title="one") == first
    with pytest.raises(Refused) as refused:
        await make(tweets, key="k", title="two")
    assert refused.value.reason == "IDEMPOTENCY_MISMATCH"
    second = await make(tweets, title="two")
    request = pb.ListMomentsRequest(user_id=str(ALICE), page_size=1)
    raw, _ = await tweets.call("ListMoments", request, user=BOB, edge=True)
    page = pb.ListMomentsResponse.FromString(raw)
    assert [moment.moment_id for moment in page.moments] == [second]
    request.page_token = page.next_page_token
    raw, _ = await tweets.call("ListMoments", request, user=BOB, edge=True)
    page = pb.ListMomentsResponse.FromString(raw)
    assert [moment.moment_id for moment in page.moments] == [first]
    assert not page.next_page_token


@pytest.mark.parametrize(
    ("method", "message", "user", "reason", "field"),
    [
        ("CreateMoment", pb.CreateMomentRequest(), ALICE, "INVALID_ARGUMENT", "title"),
        ("CreateMoment", pb.CreateMomentRequest(title="x" * 101), ALICE, "INVALID_ARGUMENT",
         "title"),
        ("CreateMoment", pb.CreateMomentRequest(title="x", description="y" * 501), ALICE,
         "INVALID_ARGUMENT", "description"),
        ("CreateMoment", pb.CreateMomentRequest(title="x", tweet_ids=range(1, 102)), ALICE,
         "INVALID_ARGUMENT", "tweet_ids"),
        ("CreateMoment", pb.CreateMomentRequest(title="x", tweet_ids=[987]), ALICE,
         "TWEET_NOT_FOUND", ""),
        ("CreateMoment", pb.CreateMomentRequest(title="x", cover_media_id=7), ALICE,
         "INVALID_ARGUMENT", "cover_media_id"),
        ("CreateMoment", pb.CreateMomentRequest(title="x"), 0, "UNAUTHENTICATED", ""),
        ("GetMoment", pb.GetMomentRequest(moment_id=987), BOB, "MOMENT_NOT_FOUND", ""),
    ],
)  # fmt: skip
async def test_refusals(
    known: Known, method: str, message: Any, user: int, reason: str, field: str
) -> None:
    tweets, _ = known
    with pytest.raises(Refused) as refused:
        await tweets.call(method, message, user=user, edge=True)
    assert refused.value.reason == reason
    assert refused.value.fields == ([field] if field else [])
    assert await tweets.sql("SELECT count(*) FROM moments") == [(0,)]


async def test_only_its_maker_changes_it(known: Known) -> None:
    """API1."""
    tweets, _ = known
    [tweet] = await posts(tweets, 1)
    moment = await make(tweets, tweet)
    for method, message in (
        ("UpdateMoment", pb.UpdateMomentRequest(moment_id=moment, title="mine")),
        ("DeleteMoment", pb.DeleteMomentRequest(moment_id=moment)),
        ("AddMomentTweet", pb.AddMomentTweetRequest(moment_id=moment, tweet_id=tweet)),
        ("RemoveMomentTweet", pb.RemoveMomentTweetRequest(moment_id=moment, tweet_id=tweet)),
    ):
        with pytest.raises(Refused) as refused:
            await tweets.call(method, message, user=BOB, edge=True)
        assert refused.value.reason == "ACTING_FOR_OTHER_USER"
    assert await order(tweets, moment) == [tweet]


async def test_a_moment_has_a_limit(known: Known) -> None:
    tweets, _ = known
    [last] = await posts(tweets, 1)
    moment = await make(tweets)
    await tweets.sql(
        "INSERT INTO moment_tweets SELECT %s, n, n FROM generate_series(1, %s) n",
        moment, MAX_TWEETS,
    )  # fmt: skip
    with pytest.raises(Refused) as refused:
        await add(tweets, moment, last)
    assert (refused.value.reason, refused.value.fields) == ("INVALID_ARGUMENT", ["tweet_id"])


def test_any_order_of_placing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a plain list, with so little room that ranks must be given out anew."""
    monkeypatch.setattr(domain_moments, "STEP", 4)
    chance = random.Random(3)
    truth: list[int] = []
    kept: dict[int, Ranked] = {}
    for _ in range(2_000):
        tweet = chance.randrange(1, 30)
        others = [each for each in truth if each != tweet]
        position = chance.randrange(len(others) + 1)
        current = sorted(kept.values())
        kept |= {item.tweet_id: item for item in placed(current, tweet, position)}
        truth = [*others[:position], tweet, *others[position:]]
        assert [item.tweet_id for item in sorted(kept.values())] == truth
        assert len({item.rank for item in kept.values()}) == len(kept)
    assert [item.tweet_id for item in ranked([3, 1, 2])] == [3, 1, 2]
