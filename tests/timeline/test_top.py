"""ranking=top: by score, one order per page chain, then on by id."""

import math

import pytest

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.errors import PageTokenError
from services.chassis.snowflake import id_at, wall_clock_ms
from services.timeline.ranking import HALF_LIFE_MS, MUTUAL_CLOSENESS, score
from services.timeline.top import RANKED

from .rig import Rig
from .world import World

VIEWER, A, FRIEND = 10, 20, 30
HOUR = 3_600_000


def test_the_formula_of_the_docs() -> None:
    now = wall_clock_ms()
    fresh = Tweet(tweet_id=id_at(now), user_id=A)
    assert score(fresh, (), now) == (1, 1, 1, 1)
    old = Tweet(tweet_id=id_at(now - HALF_LIFE_MS), user_id=A)
    assert score(old, (), now).recency == pytest.approx(0.5)
    liked = Tweet(tweet_id=id_at(now), user_id=A, favorite_count=3, retweet_count=1, reply_count=2)
    assert score(liked, (), now).engagement == pytest.approx(1 + math.log2(8))
    again = Tweet(tweet_id=id_at(now), user_id=A, retweeted_status=liked)
    assert score(again, (), now).engagement == pytest.approx(1 + math.log2(8))
    assert score(liked, {A}, now).closeness == MUTUAL_CLOSENESS
    assert score(liked, {A}, now).total == pytest.approx(MUTUAL_CLOSENESS * (1 + math.log2(8)))
    assert score(liked, (), now - HOUR).recency == 1  # a clock that is behind


async def test_the_best_come_first(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, FRIEND)
    world.follow(FRIEND, VIEWER)
    now = wall_clock_ms()
    loved = world.post(A, at_ms=now - 5 * HOUR, favorite_count=5_000)
    plain = world.post(A, at_ms=now - HOUR)
    friends = world.post(FRIEND, at_ms=now - 2 * HOUR)
    page = await rig.home(VIEWER, ranking="top")
    assert [tweet.tweet_id for tweet in page.tweets] == [
        tweet.tweet_id for tweet in (loved, friends, plain)
    ]
    assert [t.tweet_id for t in (await rig.home(VIEWER)).tweets] == world.truth(VIEWER)


@pytest.mark.parametrize("size", [1, 7, 20, 100])
async def test_a_chain_has_one_order_and_no_end(rig: Rig, world: World, size: int) -> None:
    world.follow(VIEWER, A)
    now = wall_clock_ms()
    for back in range(450):
        world.post(A, at_ms=now - 60_000 * (back + 1), favorite_count=back * 37 % 101)
    truth = world.truth(VIEWER)
    found: list[int] = []
    async for page in rig.pages(VIEWER, [size], ranking="top"):
        found += page
        for tweet_id in truth[:450:9]:
            world.tweets[tweet_id].favorite_count += 50  # counts move while the chain is read
        world.post(A)
    assert len(found) == len(set(found))
    assert sorted(found, reverse=True) == truth
    assert sorted(found[:RANKED], reverse=True) == truth[:RANKED] != found[:RANKED]
    assert found[RANKED:] == truth[RANKED:]


async def test_what_is_hidden_or_deleted_meanwhile_is_left_out(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, FRIEND)
    now = wall_clock_ms()
    posted = [world.post(A if n % 2 else FRIEND, at_ms=now - 60_000 * n) for n in range(40)]
    page = await rig.home(VIEWER, ranking="top", page_size=10)
    world.hidden.add((VIEWER, FRIEND))
    rig.relations.forget_all()
    later = await rig.walk(VIEWER, [10], ranking="top", page_token=page.next_page_token)
    assert {tweet.user_id for tweet in posted if tweet.tweet_id in later} == {A}


async def test_tokens_of_one_ranking_are_refused_by_the_other(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A)
    for _ in range(30):
        world.post(A)
    top = await rig.home(VIEWER, ranking="top")
    latest = await rig.home(VIEWER)
    with pytest.raises(PageTokenError):
        await rig.home(VIEWER, page_token=top.next_page_token)
    with pytest.raises(PageTokenError):
        await rig.home(VIEWER, ranking="top", page_token=latest.next_page_token)
