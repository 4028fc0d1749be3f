"""Blocks: they end what was between two users, and nothing slips through."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from services.chassis.config import Settings
from services.chassis.errors import ServiceError

from .world import World, opened, refused

UNEXPECTED = {"INTERNAL", "UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED"}


async def test_a_block_ends_follows_and_requests_both_ways(world: World) -> None:
    ann, bob, cat = await world.users("ann", "bob", "cat")
    await world.follow(ann, bob)
    await world.follow(bob, ann)
    await world.protect(cat)
    await world.follow(ann, cat)
    assert await world.follower_ids(ann, bob) == {ann: [bob], bob: [ann]}
    before = len(await world.events())
    await world.block(ann, bob)
    await world.block(cat, ann)
    assert await world.follower_ids(ann, bob) == {ann: [], bob: []}
    assert await world.whole("requests", cat) == []
    for user in await world.batch(ann, bob, cat):
        assert (user.followers_count, user.following_count) == (0, 0)
    assert (await world.events())[before:] == [
        ("UserUnfollowed", ann, bob),
        ("UserUnfollowed", bob, ann),
        ("UserBlocked", ann, bob),
        ("UserBlocked", cat, ann),
    ]
    together = await world.sql("SELECT count(*) FROM events GROUP BY xid HAVING count(*) = 3")
    assert len(together) == 2  # the import of three users, and the block of a followed follower


async def test_a_block_forbids_follows_both_ways(world: World) -> None:
    ann, bob = await world.users("ann", "bob")
    await world.block(ann, bob)
    await world.block(ann, bob)
    with refused("BLOCKED", user_id=str(bob), target_user_id=str(ann)):
        await world.follow(bob, ann)
    with refused("BLOCKED"):
        await world.follow(ann, bob)
    await world.unfollow(bob, ann)
    assert await world.whole("blocks", ann) == [bob]
    assert await world.whole("blocks", bob) == []
    await world.block(bob, ann)
    await world.unblock(ann, bob)
    with refused("BLOCKED"):
        await world.follow(ann, bob)
    await world.unblock(bob, ann)
    await world.unblock(bob, ann)
    await world.follow(bob, ann)
    assert await world.whole("followers", ann) == [bob]
    kinds = Counter(kind for kind, *_ in await world.events())
    assert kinds == {"UserBlocked": 2, "UserUnblocked": 2, "UserFollowed": 1}


async def test_bad_blocks_are_refused(world: World) -> None:
    (ann,) = await world.users("ann")
    with refused("SELF_FOLLOW", field="target_user_id"):
        await world.block(ann, ann)
    with refused("USER_NOT_FOUND", user_id="77"):
        await world.block(ann, 77)
    await world.unblock(ann, 77)
    assert await world.events() == []


async def test_no_follow_survives_a_block_it_races_with(settings: Settings) -> None:
    """On two replicas, so that nothing but the database's locks keeps the two apart."""
    async with opened(settings) as one, opened(settings) as other:
        ann, bob = await one.users("ann", "bob")
        refusals = 0
        for turn in range(60):
            calls = [one.follow(ann, bob), other.block(bob, ann), other.follow(bob, ann)]
            order = calls if turn % 2 else calls[::-1]
            for result in await asyncio.gather(*order, return_exceptions=True):
                if isinstance(result, BaseException):
                    assert isinstance(result, ServiceError)
                    assert result.reason == "BLOCKED"
                    refusals += 1
            for user in (await one.get(ann), await other.get(bob)):
                assert (user.followers_count, user.following_count) == (0, 0)
            assert await one.whole("followers", bob) == await one.whole("followers", ann) == []
            await one.unblock(bob, ann)
        assert refusals  # not always the same order


async def test_a_storm_leaves_the_tables_consistent(settings: Settings) -> None:
    async with opened(settings) as one, opened(settings) as other:
        users = await one.users(*(f"u{number}" for number in range(7)))
        chance = random.Random(11)
        storm = [
            action(chance, chance.choice((one, other)), *chance.sample(users, 2))
            for _ in range(2500)
        ]
        results = await asyncio.gather(*storm, return_exceptions=True)
        reasons = Counter(getattr(result, "reason", "") for result in results)
        assert not UNEXPECTED & reasons.keys(), reasons
        assert reasons["BLOCKED"]
        failed = [result for result in results if isinstance(result, BaseException)]
        strange = [error for error in failed if not isinstance(error, ServiceError)]
        assert not strange, {repr(error) for error in strange}
        await assert_consistent(one, users)


def action(chance: random.Random, world: World, ann: int, bob: int) -> Coroutine[Any, Any, object]:
    """Anything that may happen between two users, most often a follow."""
    actions: dict[str, tuple[int, Callable[[], Coroutine[Any, Any, object]]]] = {
        "follow": (30, lambda: world.follow(ann, bob)),
        "unfollow": (5, lambda: world.unfollow(ann, bob)),
        "block": (6, lambda: world.block(ann, bob)),
        "unblock": (12, lambda: world.unblock(ann, bob)),
        "accept": (5, lambda: world.accept(ann, bob)),
        "reject": (2, lambda: world.reject(ann, bob)),
        "protect": (3, lambda: world.protect(ann, protected=bool(chance.getrandbits(1)))),
    }
    weights = [weight for weight, _ in actions.values()]
    (name,) = chance.choices(list(actions), weights)
    return actions[name][1]()


async def assert_consistent(world: World, users: list[int]) -> None:
    follows = {(a, b) for a, b in await world.sql("SELECT user_id, target_user_id FROM follows")}
    requests = {
        (a, b) for a, b in await world.sql("SELECT user_id, target_user_id FROM follow_requests")
    }
    blocks = {(a, b) for a, b in await world.sql("SELECT user_id, target_user_id FROM blocks")}
    assert follows
    assert blocks
    assert not follows & requests
    for ann, bob in blocks:
        assert not {(ann, bob), (bob, ann)} & (follows | requests)
    for user_id in users:
        user = await world.get(user_id)
        assert user.followers_count == sum(b == user_id for _, b in follows)
        assert user.following_count == sum(a == user_id for a, _ in follows)
        assert user.protected or not any(b == user_id for _, b in requests)
        followers = sorted(a for a, b in follows if b == user_id)
        assert (await world.follower_ids(user_id))[user_id] == followers
    balance: Counter[tuple[str, int, int]] = Counter()
    for kind, ann, bob in await world.events():
        name, step = {
            "UserFollowed": ("follow", 1),
            "UserUnfollowed": ("follow", -1),
            "UserBlocked": ("block", 1),
            "UserUnblocked": ("block", -1),
        }.get(kind, ("", 0))
        balance[name, ann, bob] += step
        assert balance[name, ann, bob] in (0, 1)  # in the order in which it happened
    told = {key for key, count in balance.items() if count}
    assert told == {("follow", *pair) for pair in follows} | {("block", *pair) for pair in blocks}
