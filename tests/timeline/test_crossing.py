"""Authors cross the pull threshold in both directions, and no tweet is lost or repeated."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from services.chassis.snowflake import wall_clock_ms
from services.timeline import crossing, domain
from services.timeline.domain import COMPLETE
from services.timeline.policy import store as policy_store
from services.timeline.policy.domain import Change, State
from services.timeline.policy.store import PolicyStore
from services.timeline.store import RING, key_of

from .crossers import AUTHOR, OTHER, POLL, READERS, Open, Stream, Worker, holes
from .world import World, followed, unfollowed


@pytest.fixture
def new_worker(
    redis_url: str, store: PolicyStore, world: World, monkeypatch: pytest.MonkeyPatch
) -> Open:
    monkeypatch.setattr(policy_store, "KNOWN_SECONDS", 6 * POLL)
    return Open(redis_url, world, store)


@pytest.fixture
async def worker(new_worker: Open) -> AsyncIterator[Worker]:
    async with new_worker() as worker:
        yield worker


@pytest.fixture(autouse=True)
def followers(world: World) -> None:
    for reader in READERS:
        world.follow(reader, AUTHOR, OTHER)
    start = wall_clock_ms() - 40 * 60_000
    for n in range(40):
        world.post((AUTHOR, OTHER)[n % 2], at_ms=start + n * 60_000)


async def test_a_stream_goes_on_while_its_author_crosses_in_both_directions(
    new_worker: Open, world: World
) -> None:
    async with new_worker() as poster, new_worker() as other:
        for reader in READERS:
            assert await other.rig.walk(reader) == world.truth(reader)
        stream = Stream(world, poster, [poster, other])
        async with stream.flowing():
            await stream.cross_up_and_down()
        assert poster.rig.metric("aviary_timeline_pulled_tweets_total") > 5
        assert poster.rig.metric("aviary_timeline_mended_lists_total") >= len(READERS)
        assert stream.pages > 100
        assert not stream.lost
        assert not await holes(other, world)
        for reader in READERS:
            assert await other.rig.walk(reader, [7]) == world.truth(reader)


async def test_it_needs_the_lists_to_be_mended(
    new_worker: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""

    async def nothing(*_: object) -> int:
        return 0

    async with new_worker() as poster:
        monkeypatch.setattr(poster.rig.mender, "merge", nothing)
        for reader in READERS:
            await poster.rig.walk(reader)
        stream = Stream(world, poster, [poster])
        async with stream.flowing():
            await stream.cross_up_and_down()
        assert await holes(poster, world)


async def test_it_needs_the_time_in_which_everybody_learns(
    new_worker: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: a reader that learns too late."""
    async with new_worker() as poster, new_worker(poll_seconds=60) as late:
        for reader in READERS:
            await late.rig.walk(reader)
        stream = Stream(world, poster, [late])
        async with stream.flowing():
            await poster.store.update(Change(pull_threshold=3))
            await poster.until(State.PULLED)
            await asyncio.sleep(0.3)
        assert stream.lost


async def test_a_change_is_in_force_in_another_worker(new_worker: Open, world: World) -> None:
    async with new_worker() as here, new_worker(poll_seconds=1.0) as there:
        await here.store.update(Change(overrides={AUTHOR: True}))
        await there.hold(lambda: bool(there.policies.current.overrides), turn=False)
        await there.rig.deliver(world.post(AUTHOR))
        assert there.state() is State.ENTERING
        await here.until(State.PULLED)
        await there.until(State.PULLED, turn=False)
        await here.rig.walk(1)
        tweet = world.post(AUTHOR)
        await there.rig.deliver(tweet)
        assert tweet.tweet_id in await here.rig.walk(1)
        assert tweet.tweet_id not in map(domain.tweet_id_of, await here.rig.entries(1))


async def test_a_ring_from_an_earlier_time_is_dropped_before_it_counts(
    worker: Worker, world: World
) -> None:
    await worker.rig.redis.rpush(key_of(AUTHOR, RING), COMPLETE)  # as if there were no tweets
    await worker.enter(AUTHOR)
    assert await worker.rig.entries(AUTHOR, RING) == [COMPLETE]
    await worker.until(State.PULLED)
    assert await worker.rig.entries(AUTHOR, RING) == []
    assert await worker.rig.walk(1) == world.truth(1)


async def test_while_the_ring_cannot_be_dropped_the_author_stays_pushed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise RedisConnectionError("away")

    await worker.enter(AUTHOR)
    with monkeypatch.context() as patch:
        patch.setattr(worker.rig.ring_lists, "drop", away)
        with pytest.raises(RedisConnectionError):
            await worker.until(State.PULLED)
        await worker.policies.refresh()
        assert worker.state() is State.ENTERING
    await worker.until(State.PULLED)


async def test_another_worker_goes_on_where_one_has_crashed(
    new_worker: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossing, "PAGE", 2)
    asked: list[int] = []
    pages = world.follower_pages

    async def noted(after: Mapping[int, int], **fields: Any) -> Any:
        if fields.get("limit") == 2:
            asked.extend(after.values())
        return await pages(after, **fields)

    monkeypatch.setattr(world, "follower_pages", noted)
    async with new_worker() as one, new_worker() as two:
        for reader in READERS:
            await one.rig.walk(reader)
        await one.pulled(AUTHOR)
        await one.rig.deliver(*(world.post(AUTHOR) for _ in range(5)))
        await one.leave(AUTHOR)
        await one.hold(lambda: len(asked) == 2)
        left = "aviary_timeline_leaving_followers"
        assert one.registry.get_sample_value(left) == len(READERS) - 4
        assert await holes(one, world)
        assert await two.crossings.turn() == crossing.TURN_SECONDS  # the lease is the other's
        assert len(asked) == 2
        await one.store.release_lease("worker-0")  # as if 10 s had passed
        await two.until(None)
        assert asked == [0, 2, 4, 6]
        assert two.registry.get_sample_value(left) == 0
        assert not await holes(two, world)
        for reader in READERS:
            assert await two.rig.walk(reader) == world.truth(reader)


async def test_a_page_that_fails_is_done_again(
    worker: Worker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.rig.walk(1)
    await worker.pulled(AUTHOR)
    await worker.rig.deliver(world.post(AUTHOR))
    await worker.leave(AUTHOR)
    with monkeypatch.context() as patch:

        async def away(*_: object, **__: object) -> bool:
            raise RedisConnectionError("away")

        patch.setattr(worker.rig.lists, "rewrite", away)
        with pytest.raises(RedisConnectionError):
            await worker.until(None)
    await worker.until(None)
    assert not await holes(worker, world)


async def test_an_author_who_turns_round_is_not_taken_out(
    worker: Worker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.rig.walk(1)
    await worker.pulled(AUTHOR)
    await worker.leave(AUTHOR)
    merge = worker.rig.mender.merge

    async def overtaken(*arguments: Any) -> int:
        await worker.enter(AUTHOR)
        return await merge(*arguments)

    monkeypatch.setattr(worker.rig.mender, "merge", overtaken)
    await worker.until(State.PULLED)
    await worker.rig.deliver(world.post(AUTHOR))
    assert await worker.rig.walk(1) == world.truth(1)


async def test_follows_and_unfollows_while_an_author_leaves(
    worker: Worker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reader in (1, 5):
        await worker.rig.walk(reader)
    world.user(2_000)
    await worker.rig.walk(2_000)
    await worker.pulled(AUTHOR)
    await worker.rig.deliver(world.post(AUTHOR))
    await worker.leave(AUTHOR)
    world.follow(2_000, AUTHOR)
    world.follows.discard((5, AUTHOR))
    await worker.rig.tell(followed(2_000, AUTHOR), unfollowed(5, AUTHOR))
    await worker.until(None)
    await worker.rig.deliver(world.post(AUTHOR))
    assert not await holes(worker, world)
    for reader in (1, 5, 2_000):
        assert await worker.rig.walk(reader) == world.truth(reader)


async def test_who_has_lost_followers_is_pushed_again(
    worker: Worker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.store.update(Change(pull_threshold=7))
    await worker.store.enter([AUTHOR])
    await worker.until(State.PULLED)
    world.calls.clear()
    await worker.crossings.turn()
    assert not world.calls  # it is not yet time to count again
    monkeypatch.setattr(worker.crossings, "_sweep_at", 0.0)
    await worker.crossings.turn()
    await worker.policies.refresh()
    assert worker.state() is State.PULLED  # 7 of 7: not over it, but within a tenth
    world.follows = {follow for follow in world.follows if follow[0] > 1}
    monkeypatch.setattr(worker.crossings, "_sweep_at", 0.0)
    await worker.until(State.LEAVING)
    await worker.until(None)
    assert await worker.rig.walk(2) == world.truth(2)


async def test_redis_may_lose_everything_at_any_time(worker: Worker, world: World) -> None:
    async def lost_and_found() -> None:
        await worker.rig.redis.flushall()
        for reader in READERS:
            assert await worker.rig.walk(reader) == world.truth(reader)
        tweets = [world.post(author) for author in (AUTHOR, OTHER)]
        await worker.rig.deliver(*tweets)
        for reader in READERS:
            assert await worker.rig.walk(reader) == world.truth(reader)

    await lost_and_found()
    await worker.enter(AUTHOR)
    await lost_and_found()
    await worker.until(State.PULLED)
    await lost_and_found()
    await worker.leave(AUTHOR)
    await lost_and_found()
    await worker.until(None)
    await lost_and_found()


async def test_the_task_goes_on_after_a_failure_and_frees_the_lease(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossing, "TURN_SECONDS", 0.02)
    stop, turn, failures = asyncio.Event(), worker.crossings.turn, iter([True])

    async def failing_once() -> float:
        if next(failures, False):
            raise RuntimeError("no")
        return await turn()

    monkeypatch.setattr(worker.crossings, "turn", failing_once)
    running = asyncio.create_task(worker.crossings.run(stop))
    await worker.enter(AUTHOR)
    await worker.until(State.PULLED, turn=False)
    assert not await worker.store.hold_lease("another")
    stop.set()
    await asyncio.wait_for(running, 10)
    assert await worker.store.hold_lease("another")
