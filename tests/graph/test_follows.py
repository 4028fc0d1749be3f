"""Following: idempotent, exactly counted, recorded in the event log."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from aviary.events.v1 import payload_pb2
from aviary.graph.v1 import follow_pb2
from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.errors import ServiceError

from .world import World, call, refused


async def test_follow_is_idempotent_and_counts_once(world: World) -> None:
    a, b = await world.users("a", "b")
    first = (await world.follow(a, b)).follow
    assert (await world.follow(a, b)).follow == first
    assert first.state == follow_pb2.FOLLOW_STATE_FOLLOWING
    assert (first.user_id, first.target_user_id) == (a, b)
    assert (first.show_retweets, first.notify) == (True, False)
    assert abs(first.create_time.ToSeconds() - (await world.get(a)).create_time.ToSeconds()) < 60
    assert (await world.get(a)).following_count == 1
    assert (await world.get(b)).followers_count == 1
    assert (await world.get(b)).following_count == 0
    await world.unfollow(a, b)
    await world.unfollow(a, b)
    assert (await world.get(a)).following_count == 0
    assert (await world.get(b)).followers_count == 0


async def test_each_change_is_one_event_of_the_follower(world: World) -> None:
    a, b = await world.users("a", "b")
    await world.follow(a, b)
    await world.follow(a, b)
    await world.follow(a, b, notify=True)
    await world.unfollow(a, b)
    await world.unfollow(a, b)
    rows = await world.sql(
        "SELECT kind, payload, event_id FROM events WHERE kind <> 'UserCreated' ORDER BY seq"
    )
    assert [row[0] for row in rows] == ["UserFollowed", "FollowUpdated", "UserUnfollowed"]
    assert len({row[2] for row in rows}) == 3
    updated = payload_pb2.FollowUpdated.FromString(rows[1][1])
    assert (updated.user_id, updated.target_user_id, updated.notify) == (a, b, True)
    for row, kind in ((rows[0], payload_pb2.UserFollowed), (rows[2], payload_pb2.UserUnfollowed)):
        event = kind.FromString(row[1])
        assert (event.user_id, event.target_user_id) == (a, b)


async def test_update_changes_what_is_given(world: World) -> None:
    a, b = await world.users("a", "b")
    made = (await world.follow(a, b)).follow
    request = pb.UpdateFollowRequest(target_user_id=b, show_retweets=False)
    changed = (await world.graph.update_follow(request, call(a))).follow
    assert (changed.show_retweets, changed.notify) == (False, False)
    assert changed.create_time == made.create_time
    again = (await world.follow(a, b, notify=True)).follow
    assert (again.show_retweets, again.notify) == (False, True)


async def test_bad_input_is_refused_with_its_reason(world: World) -> None:
    a, b = await world.users("a", "b")
    with refused("SELF_FOLLOW", field="target_user_id", user_id=str(a)):
        await world.follow(a, a)
    with refused("SELF_FOLLOW"):
        await world.unfollow(a, a)
    with refused("USER_NOT_FOUND", user_id="77"):
        await world.follow(a, 77)
    with refused("USER_NOT_FOUND", user_id="78"):
        await world.follow(78, b)
    with refused("FOLLOW_NOT_FOUND", user_id=str(a), target_user_id=str(b)):
        await world.graph.update_follow(pb.UpdateFollowRequest(target_user_id=b), call(a))
    with refused("ACTING_FOR_OTHER_USER", user_id=str(b)):
        await world.graph.follow(pb.FollowRequest(user_id=str(b), target_user_id=a), call(a))
    with refused("UNAUTHENTICATED"):
        await world.graph.follow(pb.FollowRequest(target_user_id=a), call())
    await world.unfollow(a, 77)  # nothing to end is a success
    assert (await world.get(a)).following_count == 0


async def test_one_refused_follow_does_not_fail_its_neighbours(world: World) -> None:
    a, b = await world.users("a", "b")
    good, bad = await asyncio.gather(
        world.follow(a, b), world.follow(a, 77), return_exceptions=True
    )
    assert isinstance(good, pb.FollowResponse)
    assert isinstance(bad, ServiceError)
    assert bad.reason == "USER_NOT_FOUND"
    assert (await world.get(a)).following_count == 1


async def test_a_storm_of_toggles_leaves_counts_equal_to_lists(world: World) -> None:
    users = await world.users(*(f"u{number}" for number in range(12)))
    chance = random.Random(7)
    toggles: list[Coroutine[Any, Any, object]] = []
    for _ in range(2000):
        a, b = chance.sample(users, 2)
        toggles.append(world.follow(a, b) if chance.random() < 0.55 else world.unfollow(a, b))
    pairs = [(users[n % 12], users[(n + 1 + n // 12) % 12]) for n in range(60)]
    toggles += [world.import_follows(pairs[n::20]) for n in range(20)]  # another path, same locks
    await asyncio.gather(*toggles)
    total = 0
    for user_id in users:
        user = await world.get(user_id)
        followers = await world.whole("followers", user_id, 5)
        assert user.followers_count == len(followers) == len(set(followers))
        assert user.following_count == len(await world.whole("following", user_id, 5))
        assert sorted(followers) == (await world.follower_ids(user_id))[user_id]
        total += user.followers_count
    assert 0 < total < 12 * 11
    # The log tells the same story: what is there was followed once more than unfollowed.
    rows = await world.sql("SELECT kind, payload FROM events WHERE kind <> 'UserCreated'")
    balance: dict[tuple[int, int], int] = {}
    for kind, payload in rows:
        event = payload_pb2.UserFollowed.FromString(payload)
        pair = (event.user_id, event.target_user_id)
        balance[pair] = balance.get(pair, 0) + (1 if kind == "UserFollowed" else -1)
    assert set(balance.values()) <= {0, 1}
    assert sum(balance.values()) == total
