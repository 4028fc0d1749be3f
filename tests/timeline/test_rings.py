"""Authors who are pulled: their rings are merged in completely, at any depth."""

import random

from services.chassis.snowflake import wall_clock_ms
from services.timeline.domain import COMPLETE, LATE, SETTLED, pack
from services.timeline.rings import WINDOW
from services.timeline.store import RING, key_of, push_head, push_tail

from .rig import Rig, open_rig
from .world import World

VIEWER, PUSHED, PULLED = 10, 20, 30


async def deliver_to_ring(rig: Rig, world: World, author: int = PULLED) -> int:
    tweet = world.post(author)
    entry = pack(tweet.tweet_id, author, 0)
    await rig.pipeline.execute(push_head(author, RING) + push_tail(entry), 1)
    return tweet.tweet_id


def some_tweets(world: World, count: int, *authors: int) -> None:
    rng = random.Random(count)
    now = wall_clock_ms()
    for back in range(count):
        world.post(rng.choice(authors), at_ms=now - 60_000 * (count - back))


async def test_a_pulled_authors_tweets_are_merged_in(rig: Rig, world: World) -> None:
    world.follow(VIEWER, PUSHED, PULLED)
    some_tweets(world, 300, PUSHED, PULLED)
    rig.policy.pull(PULLED)
    assert await rig.walk(VIEWER, [20]) == world.truth(VIEWER)
    new = await deliver_to_ring(rig, world)
    assert new not in [int.from_bytes(e[:8]) for e in await rig.entries(VIEWER)]
    async with open_rig(rig.url, world) as other:
        other.policy.pull(PULLED)
        assert await other.walk(VIEWER, [7]) == world.truth(VIEWER)
        other.policy.pull()
        assert new not in await other.walk(VIEWER)


async def test_a_ring_is_a_list_of_one_author(rig: Rig, world: World) -> None:
    world.follow(VIEWER, PUSHED, PULLED)
    some_tweets(world, 30, PUSHED, PULLED)
    rig.policy.pull(PULLED, 99)
    await rig.walk(VIEWER)
    ring = await rig.redis.lrange(key_of(PULLED, RING), 0, -1)
    assert {int.from_bytes(entry[8:16]) for entry in ring[:-1]} == {PULLED}
    assert ring[-1] == COMPLETE
    assert all(entry[16] & SETTLED for entry in ring[:-1])
    assert not await rig.redis.exists(key_of(99, RING))  # nobody who reads follows this one


async def test_pages_far_behind_the_windows_and_the_rings(rig: Rig, world: World) -> None:
    """900 tweets of each: the window, the ring and the list all end in the middle of the walk."""
    authors = (PUSHED, PULLED, 31)
    world.follow(VIEWER, *authors)
    some_tweets(world, 2_700, *authors)
    rig.policy.pull(PULLED, 31)
    truth = world.truth(VIEWER)
    assert len(truth) == 2_700 > 3 * WINDOW
    assert await rig.walk(VIEWER, [100]) == truth
    assert await rig.walk(VIEWER, [3, 100, 41]) == truth
    low, high = truth[1_200], truth[40]
    assert await rig.walk(VIEWER, [33], since_id=low, max_id=high) == truth[40:1_200]


async def test_a_quiet_pulled_author_beside_a_busy_one(rig: Rig, world: World) -> None:
    """One ring's window reaches back an hour, the other's years: no page may trust the first."""
    world.follow(VIEWER, PULLED, 31)
    now = wall_clock_ms()
    for back in range(400):
        world.post(31, at_ms=now - 1_000 * back)
    for back in range(5):
        world.post(PULLED, at_ms=now - 90_000 * back)
    rig.policy.pull(PULLED, 31)
    assert await rig.walk(VIEWER, [20]) == world.truth(VIEWER)


async def test_more_pulled_authors_than_rings_are_built_at_once(rig: Rig, world: World) -> None:
    authors = range(1_000, 1_120)
    world.follow(VIEWER, *authors)
    some_tweets(world, 600, *authors)
    rig.policy.pull(*authors)
    truth = world.truth(VIEWER)
    for _ in range(6):  # each read builds some of them, the others come from SQL meanwhile
        page = await rig.home(VIEWER, page_size=100)
        assert [tweet.tweet_id for tweet in page.tweets] == truth[:100]
    assert await rig.walk(VIEWER, [50]) == truth


async def test_a_ring_whose_deliveries_came_late(rig: Rig, world: World) -> None:
    world.follow(VIEWER, PULLED)
    some_tweets(world, 200, PULLED)
    rig.policy.pull(PULLED)
    truth = world.truth(VIEWER)
    rng = random.Random(5)
    shuffled = rng.sample(truth, 200)
    await rig.redis.rpush(key_of(PULLED, RING), *(pack(i, PULLED, LATE) for i in shuffled))
    await rig.redis.rpush(key_of(PULLED, RING), COMPLETE)
    assert await rig.walk(VIEWER, [20]) == truth


async def test_flushed_rings_come_back(rig: Rig, world: World) -> None:
    world.follow(VIEWER, PUSHED, PULLED)
    some_tweets(world, 100, PUSHED, PULLED)
    rig.policy.pull(PULLED)
    async with open_rig(rig.url, world, fresh_seconds=0.0) as fresh:
        fresh.policy.pull(PULLED)
        assert await fresh.walk(VIEWER) == world.truth(VIEWER)
        await rig.redis.flushall()
        assert await fresh.walk(VIEWER, [9]) == world.truth(VIEWER)


async def test_a_ring_that_ends_before_the_list_does(rig: Rig, world: World) -> None:
    """The list holds all that was pushed, ever; of what was only pulled the ring has the newest."""
    world.follow(VIEWER, PUSHED, PULLED)
    some_tweets(world, 5, PUSHED)
    rig.policy.pull(PULLED)
    rig.policy.change(list_length=20)
    async with open_rig(rig.url, world, fresh_seconds=0.0) as fresh:
        fresh.policy.current = rig.policy.current
        await fresh.walk(VIEWER)
        for _ in range(200):
            await rig.deliver(world.post(PULLED))
        assert await rig.redis.llen(key_of(PULLED, RING)) <= 70
        assert (await fresh.entries(VIEWER))[-1] == COMPLETE
        for sizes in ([7], [20], [100]):
            assert await fresh.walk(VIEWER, sizes) == world.truth(VIEWER)
