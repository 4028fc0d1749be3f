"""Walks equal the truth, whatever happens to the list in between."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import unix_ms_of, wall_clock_ms
from services.timeline.domain import COMPLETE, LATE
from services.timeline.store import key_of

from .rig import Rig, open_rig
from .world import World

VIEWER = 10
AUTHORS = range(20, 28)
MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def followees(world: World) -> None:
    world.follow(VIEWER, *AUTHORS)


def post_many(
    world: World, count: int, rng: random.Random, apart_ms: int = MINUTE_MS
) -> list[Tweet]:
    start = wall_clock_ms() - count * apart_ms
    return [
        world.post(rng.choice([*AUTHORS, VIEWER]), at_ms=start + n * apart_ms) for n in range(count)
    ]


def shuffled(tweets: list[Tweet], rng: random.Random, spread_ms: int) -> list[tuple[Tweet, int]]:
    """Tweets in an order in which they may land, each with the moment."""
    landings = [(tweet, unix_ms_of(tweet.tweet_id) + rng.randrange(spread_ms)) for tweet in tweets]
    return sorted(landings, key=lambda landing: landing[1])


async def deliver_at(rig: Rig, world: World, landings: list[tuple[Tweet, int]]) -> None:
    """Each delivery at its own moment, some twice, as a worker with that clock would do it."""
    now = 0
    async with open_rig(rig.url, world, clock_ms=lambda: now) as worker:
        for number, (tweet, landed_ms) in enumerate(landings):
            now = landed_ms
            await worker.deliver(*([tweet] * (2 if number % 7 == 0 else 1)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 100), min_size=1, max_size=6),
    count=st.integers(0, 120),
    built_after=st.integers(0, 120),
    spread_ms=st.sampled_from([1, 1_500, 30_000, 3_600_000]),
    apart_ms=st.sampled_from([1, 200, MINUTE_MS]),
    seed=st.integers(0, 1 << 30),
)
async def test_pages_of_any_sizes_equal_the_truth(
    redis_url: str, sizes: list[int], count: int, built_after: int, **drawn: int
) -> None:
    """Whatever the order of deliveries, their lateness, doubles, and when the list was built."""
    world, rng = World(), random.Random(drawn["seed"])
    world.follow(VIEWER, *AUTHORS)
    async with open_rig(redis_url, world) as rig:
        await rig.redis.flushall()
        tweets = post_many(world, count, rng, drawn["apart_ms"])
        landings = shuffled(tweets, rng, drawn["spread_ms"])
        later = {tweet.tweet_id for tweet, _ in landings[built_after:]}
        hidden = {i: world.tweets.pop(i) for i in later}
        await rig.walk(VIEWER)
        world.tweets.update(hidden)
        await deliver_at(rig, world, landings[built_after:])
        world.calls.clear()
        assert await rig.walk(VIEWER, sizes) == world.truth(VIEWER)
        assert not world.calls["recent"]  # the list holds everything: SQL is not needed
        assert await rig.walk(VIEWER, sizes) == world.truth(VIEWER)  # sorted in place by now


async def test_a_walk_goes_on_past_the_end_of_the_list(rig: Rig, world: World) -> None:
    rng = random.Random(5)
    post_many(world, 1_900, rng)
    await rig.walk(VIEWER, [100])
    await deliver_at(rig, world, shuffled(post_many(world, 100, rng, 1_000), rng, 20_000))
    for sizes in ([100], [20, 33, 97]):
        assert await rig.walk(VIEWER, sizes) == world.truth(VIEWER)
    assert await rig.redis.llen(key_of(VIEWER)) <= 850
    assert rig.metric("aviary_timeline_sql_reads_total", why="past_list") > 0


@pytest.mark.parametrize("seed", range(6))
async def test_the_paging_law_under_churn(rig: Rig, world: World, seed: int) -> None:
    """Inserts, deletes, trims and a flush during a walk: no repeat, and no miss of what stayed."""
    rng = random.Random(seed)
    post_many(world, 1_200, rng)
    there_at_first = world.truth(VIEWER)
    walked: list[int] = []
    flush_at = rng.randrange(40)
    async with open_rig(rig.url, world, fresh_seconds=0.0) as fresh:
        async for page in fresh.pages(VIEWER, [rng.randint(1, 60) for _ in range(100)]):
            walked += page
            if rng.random() < 0.5:
                await rig.deliver(*(world.post(rng.choice(AUTHORS)) for _ in range(20)))
            for tweet_id in rng.sample(sorted(world.tweets), 3):
                del world.tweets[tweet_id]
            flush_at -= 1
            if flush_at == 0:
                await rig.redis.flushall()
    assert walked == sorted(set(walked), reverse=True)
    assert set(world.truth(VIEWER)) & set(there_at_first) <= set(walked)
    assert flush_at < 0


async def test_deleted_tweets_are_made_up_for(rig: Rig, world: World) -> None:
    tweets = post_many(world, 150, random.Random(7))
    await rig.walk(VIEWER)
    for tweet in tweets[90:]:
        del world.tweets[tweet.tweet_id]
    async with open_rig(rig.url, world) as fresh:
        page = await fresh.home(VIEWER, page_size=20)
        assert [t.tweet_id for t in page.tweets] == world.truth(VIEWER)[:20]
        assert await fresh.walk(VIEWER) == world.truth(VIEWER)


async def test_a_page_may_be_empty_but_never_ends_early(rig: Rig, world: World) -> None:
    """So many deleted tweets that making up for them has to stop at some time."""
    tweets = post_many(world, 250, random.Random(7))
    await rig.walk(VIEWER)
    for tweet in tweets[50:]:
        del world.tweets[tweet.tweet_id]
    async with open_rig(rig.url, world) as fresh:
        page = await fresh.home(VIEWER, page_size=20)
        assert not page.tweets
        assert page.next_page_token
        assert await fresh.walk(VIEWER) == world.truth(VIEWER)


async def test_a_delete_shows_when_the_cache_is_stale(rig: Rig, world: World) -> None:
    tweets = post_many(world, 5, random.Random(8))
    async with open_rig(rig.url, world, fresh_seconds=0.0) as fresh:
        assert len(await fresh.walk(VIEWER)) == 5
        del world.tweets[tweets[2].tweet_id]
        assert await fresh.walk(VIEWER) == world.truth(VIEWER)


async def test_bounds_and_replies(rig: Rig, world: World) -> None:
    tweets = post_many(world, 60, random.Random(9))
    for tweet in tweets[::3]:
        tweet.in_reply_to_tweet_id, tweet.in_reply_to_user_id = 1, tweet.user_id
    truth = world.truth(VIEWER)
    low, high = truth[50], truth[10]
    assert await rig.walk(VIEWER, [7], since_id=low) == truth[:50]
    assert await rig.walk(VIEWER, [7], max_id=high) == truth[10:]
    assert await rig.walk(VIEWER, [7], since_id=low, max_id=high) == truth[10:50]
    without = await rig.walk(VIEWER, [7], include_replies="none")
    assert without == world.truth(VIEWER, replies="none")
    assert len(without) == 40


async def test_without_replies_past_the_list(rig: Rig, world: World) -> None:
    tweets = post_many(world, 1_500, random.Random(10))
    for tweet in tweets[::2]:
        tweet.in_reply_to_tweet_id, tweet.in_reply_to_user_id = 1, tweet.user_id
    assert await rig.walk(VIEWER, [90], include_replies="none") == world.truth(
        VIEWER, replies="none"
    )


async def test_late_lists_are_sorted_in_place_once(rig: Rig, world: World) -> None:
    """After a backlog everything is marked late; one read of the whole list mends that."""
    rng = random.Random(11)
    await rig.redis.rpush(key_of(VIEWER), COMPLETE)
    tweets = post_many(world, 300, rng)
    rng.shuffle(tweets)
    await rig.deliver(*tweets)
    assert {entry[16] for entry in (await rig.entries(VIEWER))[:-1]} == {LATE}
    for _ in range(3):
        page = await rig.home(VIEWER)
        assert [t.tweet_id for t in page.tweets] == world.truth(VIEWER)[:20]
        await rig.builds.aclose()
    assert rig.metric("aviary_timeline_whole_list_reads_total") == 1
    assert await rig.walk(VIEWER) == world.truth(VIEWER)


async def test_a_list_lives_30_days_after_its_last_read(rig: Rig, world: World) -> None:
    await rig.walk(VIEWER)
    await rig.redis.expire(key_of(VIEWER), 1000)
    async with open_rig(rig.url, world) as later:
        await later.walk(VIEWER)
        assert await rig.redis.ttl(key_of(VIEWER)) > 29 * 24 * 3600
        await rig.redis.expire(key_of(VIEWER), 1000)
        await later.walk(VIEWER)  # within the hour: not renewed again
        assert await rig.redis.ttl(key_of(VIEWER)) <= 1000


async def test_everybody_in_flight_shares_the_calls(rig: Rig, world: World) -> None:
    post_many(world, 50, random.Random(13))
    readers = range(100, 140)
    for reader in readers:
        world.follow(reader, *AUTHORS)
    await asyncio.gather(*(rig.home(reader) for reader in readers))
    async with open_rig(rig.url, world) as warm:
        world.calls.clear()
        pages: list[Any] = await asyncio.gather(*(warm.home(reader) for reader in readers))
        assert world.calls["batch_get"] == 1
        assert world.calls["users"] == 1
        assert all(len(page.tweets) == 20 for page in pages)
