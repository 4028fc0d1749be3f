"""Bulk imports: fast, exact, repeatable."""

import random
import time

import pytest

from aviary.graph.v1 import graph_service_pb2 as pb
from services.graph.store import follow_ids

from .world import World, call, pack_pairs, refused, stream, unpack

REED_USERS, REED_FOLLOWS = 962, 37_624
"""The size of socfb-Reed98."""


def edges(users: list[int], count: int) -> list[tuple[int, int]]:
    """So many distinct follows, some users far more popular than others."""
    chance = random.Random(3)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < count:
        a = chance.choice(users)
        b = users[int(len(users) * chance.random() ** 2)]
        if a != b:
            pairs.add((a, b))
    return list(pairs)


async def test_a_real_graph_in_seconds_and_twice_without_doubling(world: World) -> None:
    names = [f"u{number}" for number in range(REED_USERS)]
    users = await world.users(*names)
    pairs = edges(users, REED_FOLLOWS)
    batches = [pb.ImportFollowsRequest(pairs=pack_pairs(pairs[i::2])) for i in range(2)]
    started = time.perf_counter()
    made = [r.created_count async for r in world.graph.import_follows(stream(batches), call())]
    assert time.perf_counter() - started < 15
    assert sum(made) == REED_FOLLOWS
    again = [r.created_count async for r in world.graph.import_follows(stream(batches), call())]
    assert again == [0, 0]
    assert await world.users(*names) == users
    lists = await world.follower_ids(*users[:500])
    rows = await world.sql("SELECT user_id, followers_count, following_count FROM users")
    counts = {row[0]: row[1:] for row in rows}
    expected: dict[int, list[int]] = {user: [] for user in users}
    for follower, followed in pairs:
        expected[followed].append(follower)
    for user, followers in lists.items():
        assert followers == sorted(expected[user])
        assert counts[user][0] == len(followers)
    assert sum(following for _, following in counts.values()) == REED_FOLLOWS
    ((events,),) = await world.sql("SELECT count(*) FROM events WHERE kind = 'UserFollowed'")
    assert events == REED_FOLLOWS


async def test_names_are_answered_in_order_whether_new_or_not(world: World) -> None:
    ada = await world.sign_up("Ada")
    request = pb.ImportUsersRequest(user_names=["bob", "aDA", "BOB", "eve"])
    replies = [r async for r in world.graph.import_users(stream([request, request]), call())]
    first = replies[0]
    assert first.user_ids[1] == ada.user_id
    assert first.user_ids[0] == first.user_ids[2]
    assert (first.created_count, replies[1].created_count) == (2, 0)
    assert replies[1].user_ids == first.user_ids
    kinds = await world.sql("SELECT count(*) FROM events WHERE kind = 'UserCreated'")
    assert kinds == [(3,)]


async def test_a_bad_batch_ends_the_stream_and_writes_nothing(world: World) -> None:
    a, b, c = await world.users("a", "b", "c")
    good = pb.ImportFollowsRequest(pairs=pack_pairs([(a, b)]))
    for pairs, reason in (
        (pack_pairs([(b, c), (c, 77)]), "USER_NOT_FOUND"),
        (pack_pairs([(b, c), (c, c)]), "SELF_FOLLOW"),
        (pack_pairs([(b, c)]) + b"x", "INVALID_ARGUMENT"),
        (b"", "INVALID_ARGUMENT"),
        (pack_pairs([(b, c)]) * 20_001, "INVALID_ARGUMENT"),
    ):
        answered = 0
        with refused(reason):
            async for _ in world.graph.import_follows(
                stream([good, pb.ImportFollowsRequest(pairs=pairs), good]), call()
            ):
                answered += 1
        assert answered == 1
    assert await world.follower_ids(b, c) == {b: [a], c: []}
    for names in ([], ["fine", "not fine"], ["n"] * 5001):
        with refused("USER_NAME_INVALID" if len(names) == 2 else "INVALID_ARGUMENT"):
            await world.users(*names)
    assert await world.sql("SELECT count(*) FROM users") == [(3,)]


async def test_packed_pages_are_the_whole(world: World) -> None:
    me, *others = await world.users("me", *(f"u{number}" for number in range(25)))
    await world.import_follows([(other, me) for other in others])
    await world.import_follows([(me, other) for other in others])
    await world.import_follows([(others[1], others[0])])
    for limit in (1, 7, 24, 25, 26):
        query = pb.FollowerIdsQuery(user_id=me)
        followers: list[int] = []
        while True:
            request = pb.BatchGetFollowerIdsRequest(queries=[query], limit=limit)
            (result,) = (await world.graph.batch_get_follower_ids(request, call())).results
            assert result.followers_count == 25
            followers += unpack(result.follower_ids)
            query.after_user_id = result.next_after_user_id
            if not query.after_user_id:
                break
        assert followers == sorted(others)
        following: list[int] = []
        after = 0
        while True:
            ask = pb.ListFollowingIdsRequest(user_id=me, limit=limit, after_user_id=after)
            reply = await world.graph.list_following_ids(ask, call())
            assert reply.following_count == 25
            following += unpack(reply.following_ids)
            after = reply.next_after_user_id
            if not after:
                break
        assert following == sorted(others)
    popular = pb.ListFollowingIdsRequest(user_id=me, minimum_followers_count=2)
    reply = await world.graph.list_following_ids(popular, call())
    assert unpack(reply.following_ids) == [others[0]]


async def test_popular_users_are_counted_only(world: World) -> None:
    me, *others = await world.users("me", *(f"u{number}" for number in range(5)))
    await world.import_follows([(other, me) for other in others])
    for most, expected in ((4, []), (5, sorted(others)), (0, sorted(others))):
        request = pb.BatchGetFollowerIdsRequest(
            queries=[pb.FollowerIdsQuery(user_id=me)], maximum_followers_count=most
        )
        (result,) = (await world.graph.batch_get_follower_ids(request, call())).results
        assert (unpack(result.follower_ids), result.followers_count) == (expected, 5)


async def test_lists_too_long_to_cache_are_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_ids, "MAX_WHOLE_LIST", 3)
    me, *others = await world.users("me", *(f"u{number}" for number in range(5)))
    await world.import_follows([(other, me) for other in others])
    for _ in range(2):
        assert await world.follower_ids(me) == {me: sorted(others)}
    assert await world.redis.strlen(f"followers:{{{me}}}") == 8


async def test_bad_queries_are_refused(world: World) -> None:
    with refused("INVALID_ARGUMENT", field="queries"):
        await world.graph.batch_get_follower_ids(pb.BatchGetFollowerIdsRequest(), call())
    with refused("INVALID_ARGUMENT", field="queries"):
        await world.follower_ids(*range(1, 1002))
    with refused("INVALID_ARGUMENT", field="limit"):
        await world.graph.list_following_ids(pb.ListFollowingIdsRequest(limit=-1), call())
    assert await world.follower_ids(77) == {77: []}
