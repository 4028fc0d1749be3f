"""Parents of replies: on the page at their own place, in whatever order deliveries come."""

import random

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import wall_clock_ms

from .rig import Rig
from .world import World, followed

VIEWER, A, B, STRANGER = 10, 20, 30, 40


def reply(world: World, author: int, parent: Tweet, *, ago_ms: int = 0) -> Tweet:
    return world.post(
        author,
        at_ms=wall_clock_ms() - ago_ms,
        in_reply_to_tweet_id=parent.tweet_id,
        in_reply_to_user_id=parent.user_id,
    )


def ids(*tweets: Tweet) -> list[int]:
    return sorted((tweet.tweet_id for tweet in tweets), reverse=True)


async def test_a_reply_that_came_first(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, B)
    await rig.walk(VIEWER)
    parent = world.post(A, at_ms=wall_clock_ms() - 300)
    other = world.post(B, at_ms=wall_clock_ms() - 200)
    answer = reply(world, B, parent)
    await rig.deliver(other, answer)
    assert await rig.walk(VIEWER) == ids(parent, other, answer)
    await rig.deliver(parent)
    assert await rig.walk(VIEWER) == ids(parent, other, answer)


async def test_a_parent_that_belongs_on_a_later_page(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, B)
    await rig.walk(VIEWER)
    parent = world.post(A, at_ms=wall_clock_ms() - 5_000)
    others = [world.post(B, at_ms=wall_clock_ms() - 1_000 * back) for back in (4, 3, 2, 1)]
    older = world.post(B, at_ms=wall_clock_ms() - 6_000)
    answer = reply(world, B, parent)
    await rig.deliver(older, *others, answer)
    everything = ids(parent, answer, older, *others)
    for sizes in ([1], [2], [3], [5], [20]):
        assert await rig.walk(VIEWER, sizes) == everything


async def test_a_chain_of_parents(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, B)
    await rig.walk(VIEWER)
    thread = [world.post(A, at_ms=wall_clock_ms() - 5_000)]
    for step in range(4):
        thread.append(reply(world, B if step % 2 else A, thread[-1], ago_ms=4_000 - 900 * step))
    await rig.deliver(thread[-1])
    assert await rig.walk(VIEWER, [2]) == ids(*thread)
    assert await rig.walk(VIEWER) == ids(*thread)


async def test_parents_that_do_not_belong_here(rig: Rig, world: World) -> None:
    world.follow(VIEWER, A, B)
    world.follow(A, STRANGER)
    await rig.walk(VIEWER)
    strange = world.post(STRANGER, at_ms=wall_clock_ms() - 3_000)
    hidden = world.post(A, at_ms=wall_clock_ms() - 2_000)
    to_hidden, to_strange = reply(world, B, hidden), reply(world, B, strange)
    await rig.deliver(to_hidden, to_strange)
    del world.tweets[hidden.tweet_id]
    assert await rig.walk(VIEWER) == ids(to_hidden)
    assert await rig.walk(VIEWER, include_replies="all") == ids(to_hidden, to_strange)
    assert await rig.walk(VIEWER, include_replies="none") == []
    world.follow(VIEWER, STRANGER)
    await rig.tell(followed(VIEWER, STRANGER))
    assert await rig.walk(VIEWER) == ids(to_hidden, to_strange, strange)


async def test_a_thousand_orders_of_delivery_give_one_page(rig: Rig, world: World) -> None:
    """Any part of a thread may be missing, but what is answered by what is there."""
    rng = random.Random(17)
    world.follow(VIEWER, A, B)
    for _ in range(1_000):
        await rig.redis.flushall()
        world.tweets.clear()
        await rig.walk(VIEWER)
        now = wall_clock_ms()
        parent = world.post(A, at_ms=now - 900)
        answers = [reply(world, B, parent, ago_ms=800 - 100 * n) for n in range(3)]
        await rig.deliver(*rng.sample(answers, 3))
        assert await rig.walk(VIEWER) == ids(parent, *answers)
