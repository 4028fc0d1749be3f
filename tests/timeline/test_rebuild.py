"""Lists are built while deliveries, faults and other builders come between."""

import asyncio

import pytest

from services.chassis.snowflake import wall_clock_ms
from services.chassis.stores import open_redis
from services.timeline import domain
from services.timeline.domain import COMPLETE, SETTLED, building_marker
from services.timeline.store import key_of

from .rig import Rig, open_rig
from .world import World, followed

VIEWER, AUTHOR = 10, 20


@pytest.fixture(autouse=True)
def followee(world: World) -> None:
    world.follow(VIEWER, AUTHOR)


def posts(world: World, count: int) -> None:
    start = wall_clock_ms() - count * 60_000
    for number in range(count):
        world.post(AUTHOR, at_ms=start + number * 60_000)


async def until_building(rig: Rig) -> None:
    while not (entries := await rig.entries(VIEWER)) or not domain.is_building(entries[-1]):
        await asyncio.sleep(0.001)


async def test_a_missing_list_is_built_and_kept(rig: Rig, world: World) -> None:
    posts(world, 30)
    page = await rig.home(VIEWER, page_size=20)
    assert [t.tweet_id for t in page.tweets] == world.truth(VIEWER)[:20]
    entries = await rig.entries(VIEWER)
    assert [e[16] for e in entries] == [SETTLED] * 30 + [COMPLETE[16]]
    assert {len(e) for e in entries} == {17}
    month = 30 * 86_400
    assert month - 5 < await rig.redis.ttl(key_of(VIEWER)) <= month
    world.calls.clear()
    await rig.home(VIEWER, page_size=20)
    assert not world.calls["recent"]


async def test_an_empty_timeline_is_a_list_that_deliveries_reach(rig: Rig, world: World) -> None:
    assert await rig.walk(VIEWER) == []
    assert await rig.entries(VIEWER) == [COMPLETE]
    world.calls.clear()
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet)
    assert await rig.walk(VIEWER) == [tweet.tweet_id]
    assert not world.calls["recent"]


async def test_deliveries_during_a_build_are_kept(rig: Rig, world: World) -> None:
    posts(world, 30)
    world.pause = 0.05
    reading = asyncio.create_task(rig.walk(VIEWER))
    delivered = 0
    while not reading.done() and delivered < 40:
        await until_building(rig)
        await rig.deliver(world.post(AUTHOR))
        delivered += 1
        if not domain.is_building((await rig.entries(VIEWER))[-1]):
            break
    await reading
    assert delivered > 0
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert rig.metric("aviary_timeline_list_builds_total") == 1


async def test_concurrent_builds_are_one(rig: Rig, world: World, redis_url: str) -> None:
    posts(world, 30)
    world.pause = 0.05
    async with open_rig(redis_url, world) as other:
        pages = await asyncio.gather(*(r.walk(VIEWER) for r in (rig, other) for _ in range(10)))
        assert all(page == world.truth(VIEWER) for page in pages)
        assert world.calls["recent"] == 1
        assert sum(r.metric("aviary_timeline_list_builds_total") for r in (rig, other)) == 1


async def test_a_flush_in_the_middle_of_a_build_starts_it_again(rig: Rig, world: World) -> None:
    posts(world, 30)
    world.pause = 0.05
    reading = asyncio.create_task(rig.walk(VIEWER))
    await until_building(rig)
    await rig.redis.flushall()
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet)  # meets no list
    assert tweet.tweet_id in await reading
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert world.calls["recent"] == 2


async def test_a_list_that_is_taken_away_again_and_again_is_answered_from_sql(
    rig: Rig, world: World, redis_url: str
) -> None:
    posts(world, 30)
    world.pause = 0.02
    reading = asyncio.create_task(rig.walk(VIEWER, [100]))
    async with open_redis(redis_url) as flusher:
        while not reading.done():
            await flusher.flushall()
            await asyncio.sleep(0.005)
    assert await reading == world.truth(VIEWER)
    assert rig.metric("aviary_timeline_sql_reads_total", why="redis_away") == 1


async def test_an_abandoned_build_is_taken_over(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.timeline.rebuild.PATIENCE_SECONDS", 0.2)
    posts(world, 30)
    await rig.redis.rpush(key_of(VIEWER), building_marker(1))
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet)
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert COMPLETE in await rig.entries(VIEWER)


async def test_a_build_that_fails_leaves_nothing_to_wait_for(rig: Rig, world: World) -> None:
    async def fail(user_id: int) -> bytes:
        raise RuntimeError(f"no graph for {user_id}")

    posts(world, 3)
    healthy, world.following_ids = world.following_ids, fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="no graph for"):
        await rig.walk(VIEWER)
    assert await rig.entries(VIEWER) == []
    world.following_ids = healthy  # type: ignore[method-assign]
    assert await rig.walk(VIEWER) == world.truth(VIEWER)


async def test_a_reader_that_leaves_does_not_stop_the_build(rig: Rig, world: World) -> None:
    posts(world, 3)
    world.pause = 0.05
    leaving = asyncio.create_task(rig.walk(VIEWER))
    await until_building(rig)
    staying = asyncio.create_task(rig.walk(VIEWER))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == world.truth(VIEWER)
    assert world.calls["recent"] == 1


async def test_follows_show_at_the_next_read(rig: Rig, world: World) -> None:
    posts(world, 3)
    other = world.post(30, at_ms=wall_clock_ms() - 90_000)
    assert other.tweet_id not in await rig.walk(VIEWER)
    world.follow(VIEWER, 30)
    await rig.tell(followed(VIEWER, 30))
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert other.tweet_id in world.truth(VIEWER)


async def test_a_follow_in_the_middle_of_a_build_counts(rig: Rig, world: World) -> None:
    posts(world, 3)
    other = world.post(30, at_ms=wall_clock_ms() - 90_000)
    world.pause = 0.05
    reading = asyncio.create_task(rig.walk(VIEWER))
    await until_building(rig)
    await asyncio.sleep(0.07)  # the followees have been read, the rows not yet
    world.follow(VIEWER, 30)
    await rig.tell(followed(VIEWER, 30))
    await reading  # whom the viewer followed when it began
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert other.tweet_id in world.truth(VIEWER)


async def test_rebuilding_by_hand(rig: Rig, world: World) -> None:
    posts(world, 900)
    await rig.walk(VIEWER)
    assert await rig.builds.anew(VIEWER) == 800
    world.tweets.clear()
    assert await rig.builds.anew(VIEWER) == 0
    assert await rig.walk(VIEWER) == []


async def test_who_has_not_read_for_31_days_has_no_list(rig: Rig, world: World) -> None:
    """The clock says when the last read was: 31 days ago."""
    posts(world, 30)
    a_month_ago = wall_clock_ms() - 31 * 86_400_000
    async with open_rig(rig.url, world) as there:
        await there.walk(VIEWER)
        assert await rig.redis.exists(key_of(VIEWER))
    async with open_rig(rig.url, world, clock_ms=lambda: a_month_ago) as then:
        await then.home(VIEWER)
    assert not await rig.redis.exists(key_of(VIEWER))
    missed = world.post(AUTHOR)
    await rig.deliver(missed)
    assert not await rig.redis.exists(key_of(VIEWER))
    assert rig.metric("aviary_timeline_inactive_deliveries_total") > 0
    assert await rig.walk(VIEWER, [7]) == world.truth(VIEWER)
    assert await rig.redis.exists(key_of(VIEWER))


async def test_the_active_window_is_the_policys(rig: Rig, world: World) -> None:
    posts(world, 3)
    rig.policy.change(active_seconds=60)
    await rig.walk(VIEWER)
    assert 50 < await rig.redis.ttl(key_of(VIEWER)) <= 60
