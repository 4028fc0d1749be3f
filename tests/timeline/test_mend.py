"""Follows and unfollows change lists in place, and a changed list proves no more than it holds."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from services.chassis.snowflake import wall_clock_ms
from services.timeline import domain
from services.timeline.domain import COMPLETE, SETTLED
from services.timeline.mend import mended
from services.timeline.policy.domain import State
from services.timeline.store import key_of

from .rig import Rig
from .test_domain import Landed, random_list, violations
from .world import World, followed, unfollowed

VIEWER, OLD, NEW = 10, 20, 30


def ids_of(entries: Sequence[bytes]) -> list[int]:
    return [i for entry in entries if (i := domain.tweet_id_of(entry))]


def posts(world: World, author: int, count: int, every_ms: int = 60_000) -> list[int]:
    start = wall_clock_ms() - count * every_ms
    return [world.post(author, at_ms=start + n * every_ms).tweet_id for n in range(count)]


@pytest.fixture
def followee(world: World) -> None:
    world.follow(VIEWER, OLD)
    posts(world, OLD, 30)


def random_rows(rng: random.Random, landed: Landed, length: int) -> list[bytes]:
    """Another author's rows among the times of a list: all of them or `length`."""
    everything = sorted(landed.everything)
    near = [rng.choice(everything) + rng.randrange(-(1 << 32), 1 << 32) for _ in range(60)]
    made = sorted({i for i in near if i > 0} - landed.everything, reverse=True)
    return [domain.pack(i, NEW, 0) for i in made][: rng.randrange(60)][:length]


def test_a_mended_list_proves_no_more_than_it_holds() -> None:
    rng, kept, complete = random.Random(3), 0, 0
    for _ in range(500):
        landed = random_list(rng)
        length = rng.choice([10, 40, 800])
        rows = random_rows(rng, landed, length)
        entries = mended(landed.entries, rows, (), length)
        truth = landed.everything | set(ids_of(rows))
        kept += bool(entries)
        complete += entries[-1:] == [COMPLETE]
        floor = domain.floor_of(landed.entries)
        if entries:
            assert violations(Landed(entries, truth)) == 0
            proven = sorted((i for i in truth if i >= floor), reverse=True)
            assert ids_of(entries) == proven[:length]
            assert all(e[16] & SETTLED for e in entries if e != COMPLETE)
    assert kept > 200
    assert complete > 20


def test_without_an_author_a_list_proves_the_same_of_the_others() -> None:
    rng, kept = random.Random(4), 0
    for _ in range(300):
        landed = random_list(rng)
        rows = random_rows(rng, landed, 800)
        both = mended(landed.entries, rows, (), 800)
        entries = mended(both, [], {NEW}, 800) if both else []
        if entries:
            kept += 1
            assert not {e for e in entries if e[8:16] == NEW.to_bytes(8)}
            assert violations(Landed(entries, landed.everything)) == 0
    assert kept > 100


@pytest.mark.usefixtures("followee")
async def test_a_follow_puts_the_newest_tweets_in_place(rig: Rig, world: World) -> None:
    await rig.walk(VIEWER)
    await rig.redis.expire(key_of(VIEWER), 1_000)
    await rig.deliver(world.post(OLD))
    posts(world, NEW, 30, every_ms=50_000)
    world.follow(VIEWER, NEW)
    world.calls.clear()
    await rig.mender.handle([followed(VIEWER, NEW)])
    entries = await rig.entries(VIEWER)
    assert ids_of(entries) == world.truth(VIEWER)
    assert entries[-1] == COMPLETE
    assert world.calls["recent"] == 1
    assert rig.metric("aviary_timeline_mended_lists_total") == 1
    # Only reading keeps a list alive.
    assert 900 < await rig.redis.ttl(key_of(VIEWER)) <= 1_000


@pytest.mark.usefixtures("followee")
async def test_an_unfollow_takes_the_tweets_out(rig: Rig, world: World) -> None:
    posts(world, NEW, 10)
    world.follow(VIEWER, NEW)
    await rig.walk(VIEWER)
    world.follows.discard((VIEWER, NEW))
    await rig.mender.handle([unfollowed(VIEWER, NEW)])
    assert ids_of(await rig.entries(VIEWER)) == world.truth(VIEWER)
    assert world.calls["recent"] == 1  # the build


async def test_who_is_not_active_costs_nothing(rig: Rig, world: World) -> None:
    world.follow(VIEWER, NEW)
    await rig.mender.handle([followed(VIEWER, NEW), unfollowed(VIEWER, OLD)])
    assert await rig.entries(VIEWER) == []
    assert not world.calls


@pytest.mark.usefixtures("followee")
async def test_many_follows_of_one_user_are_one_change(rig: Rig, world: World) -> None:
    await rig.walk(VIEWER)
    authors = range(100, 150)
    for author in authors:
        world.post(author)
    world.follow(VIEWER, *authors)
    world.calls.clear()
    back_and_forth = [unfollowed(VIEWER, 100), followed(VIEWER, 100)]
    await rig.mender.handle([followed(VIEWER, author) for author in authors] + back_and_forth)
    assert ids_of(await rig.entries(VIEWER)) == world.truth(VIEWER)
    assert world.calls == {"recent": 1}
    assert rig.metric("aviary_timeline_mended_lists_total") == 1


@pytest.mark.usefixtures("followee")
async def test_an_unfollow_that_comes_again_late_changes_nothing(rig: Rig, world: World) -> None:
    posts(world, NEW, 10)
    world.follow(VIEWER, NEW)
    await rig.walk(VIEWER)
    before = await rig.entries(VIEWER)
    await rig.mender.handle([unfollowed(VIEWER, NEW)])
    assert await rig.entries(VIEWER) == before


@pytest.mark.usefixtures("followee")
async def test_a_follow_that_another_worker_handled_meanwhile_wins(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is committed and handled between our look at Graph and our change of the list."""
    posts(world, NEW, 10)
    world.follow(VIEWER, NEW)
    await rig.walk(VIEWER)
    world.follows.discard((VIEWER, NEW))
    rewrite = rig.lists.rewrite

    async def overtaken(*args: object, **kwargs: object) -> bool:
        world.follow(VIEWER, NEW)
        return await rewrite(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.lists, "rewrite", overtaken)
    await rig.mender.handle([unfollowed(VIEWER, NEW)])
    assert ids_of(await rig.entries(VIEWER)) == world.truth(VIEWER)


@pytest.mark.usefixtures("followee")
async def test_a_list_under_construction_is_built_again(rig: Rig, world: World) -> None:
    world.pause = 0.05
    reading = asyncio.create_task(rig.walk(VIEWER, [100]))
    while not (entries := await rig.entries(VIEWER)) or not domain.is_building(entries[-1]):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.07)  # the followees have been read, the rows not yet
    world.pause = 0
    posts(world, NEW, 3)
    world.follow(VIEWER, NEW)
    await rig.tell(followed(VIEWER, NEW))
    await reading
    assert await rig.walk(VIEWER) == world.truth(VIEWER)
    assert rig.metric("aviary_timeline_dropped_lists_total", why="follow") == 1


@pytest.mark.parametrize("state", [*State, None])
@pytest.mark.usefixtures("followee")
async def test_of_a_pulled_followee_the_ring_has_it(
    rig: Rig, world: World, state: State | None
) -> None:
    await rig.walk(VIEWER)
    tweets = set(posts(world, NEW, 3))
    world.follow(VIEWER, NEW)
    if state:
        rig.policy.pull(NEW, state=state)
    await rig.mender.handle([followed(VIEWER, NEW)])
    there = tweets & set(ids_of(await rig.entries(VIEWER)))
    assert there == (set() if state is State.PULLED else tweets)


@pytest.mark.usefixtures("followee")
async def test_a_list_that_cannot_be_changed_is_dropped(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.walk(VIEWER)

    async def contested(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(rig.lists, "rewrite", contested)
    world.follow(VIEWER, NEW)
    posts(world, NEW, 3)
    await rig.mender.handle([followed(VIEWER, NEW)])
    assert await rig.entries(VIEWER) == []


async def test_long_lists_are_filled_page_by_page(rig: Rig, world: World) -> None:
    rig.policy.change(list_length=2_500)
    world.user(VIEWER)
    await rig.walk(VIEWER)
    posts(world, NEW, 2_600, every_ms=1_000)
    world.follow(VIEWER, NEW)
    world.calls.clear()
    await rig.mender.handle([followed(VIEWER, NEW)])
    assert ids_of(await rig.entries(VIEWER)) == world.truth(VIEWER)[:2_500]
    assert world.calls["recent"] == 3
