"""Protected accounts: who asks, who is let in, and what opening the account does."""

import asyncio

import pytest

from aviary.graph.v1 import follow_pb2
from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.stores import Connection
from services.graph.store import follows

from .world import World, call, refused

FOLLOWING, REQUESTED = follow_pb2.FOLLOW_STATE_FOLLOWING, follow_pb2.FOLLOW_STATE_REQUESTED


@pytest.fixture
async def people(world: World) -> tuple[int, int, int]:
    """A protected user, and two others."""
    users = await world.users("cat", "ann", "bob")
    await world.protect(users[0])
    return users[0], users[1], users[2]


async def assert_counts(world: World, *user_ids: int) -> None:
    for user_id in user_ids:
        user = await world.get(user_id)
        assert user.followers_count == len(await world.whole("followers", user_id))
        assert user.following_count == len(await world.whole("following", user_id))


async def test_to_follow_is_to_ask(world: World, people: tuple[int, int, int]) -> None:
    cat, ann, bob = people
    first = (await world.follow(ann, cat)).follow
    assert first.state == REQUESTED
    assert (await world.follow(ann, cat)).follow == first
    noted = (await world.follow(ann, cat, notify=True)).follow
    assert (noted.state, noted.notify, noted.create_time) == (REQUESTED, True, first.create_time)
    await world.follow(bob, cat)
    assert await world.page("requests", cat, 5) == ([ann, bob], "")
    assert (await world.get(cat)).followers_count == (await world.get(ann)).following_count == 0
    assert await world.whole("followers", cat) == await world.whole("following", ann) == []
    assert await world.follower_ids(cat) == {cat: []}
    assert await world.events() == [("FollowRequested", ann, cat), ("FollowRequested", bob, cat)]


async def test_accepting_makes_it_a_follow(world: World, people: tuple[int, int, int]) -> None:
    cat, ann, bob = people
    await world.follow(bob, cat)
    await world.follow(ann, cat, notify=True)
    await world.update_follow(ann, cat, show_retweets=False)
    assert await world.follower_ids(cat) == {cat: []}
    follow = await world.accept(cat, ann)
    assert await world.accept(cat, ann) == follow
    assert (follow.user_id, follow.target_user_id, follow.state) == (ann, cat, FOLLOWING)
    assert (follow.notify, follow.show_retweets) == (True, False)
    assert await world.follower_ids(cat) == {cat: [ann]}
    assert await world.whole("requests", cat) == [bob]
    await assert_counts(world, cat, ann, bob)
    assert (await world.get(cat)).followers_count == 1
    assert (await world.events())[2:] == [("UserFollowed", ann, cat)]
    with refused("FOLLOW_REQUEST_NOT_FOUND", user_id=str(cat), requester_user_id="77"):
        await world.accept(cat, 77)
    with refused("FOLLOW_REQUEST_NOT_FOUND"):
        await world.accept(bob, ann)
    with refused("ACTING_FOR_OTHER_USER"):
        await world.graph.accept_follow_request(
            pb.AcceptFollowRequestRequest(user_id=str(cat), requester_user_id=bob), call(bob)
        )


async def test_a_request_ends_quietly(world: World, people: tuple[int, int, int]) -> None:
    cat, ann, bob = people
    await world.follow(ann, cat)
    await world.follow(bob, cat)
    await world.reject(cat, ann)
    await world.reject(cat, ann)
    await world.unfollow(bob, cat)
    assert await world.whole("requests", cat) == []
    assert [kind for kind, *_ in await world.events()] == ["FollowRequested"] * 2
    await world.follow(ann, cat)
    await world.accept(cat, ann)
    await world.reject(cat, ann)  # a follow in force is not turned away
    assert await world.whole("followers", cat) == [ann]
    await assert_counts(world, cat, ann, bob)


async def test_follows_outlast_protection(world: World) -> None:
    cat, ann = await world.users("cat", "ann")
    await world.follow(ann, cat)
    await world.protect(cat)
    assert (await world.follow(ann, cat, notify=True)).follow.state == FOLLOWING
    assert await world.whole("followers", cat) == [ann]
    assert await world.whole("requests", cat) == []


async def test_opening_lets_all_in_at_once(world: World, people: tuple[int, int, int]) -> None:
    cat, ann, bob = people
    await world.follow(ann, cat)
    await world.follow(bob, cat)
    assert await world.follower_ids(cat) == {cat: []}
    opened = await world.protect(cat, protected=False)
    assert (opened.protected, opened.followers_count) == (False, 2)
    assert await world.whole("requests", cat) == []
    assert await world.follower_ids(cat) == {cat: sorted([ann, bob])}
    assert [user.following_count for user in await world.batch(ann, bob)] == [1, 1]
    await assert_counts(world, cat, ann, bob)
    # The log has both in one transaction with the change of the account.
    rows = await world.sql(
        "SELECT array_agg(kind ORDER BY seq) FROM events GROUP BY xid ORDER BY xid DESC LIMIT 1"
    )
    assert rows == [(["UserFollowed", "UserFollowed", "UserUpdated"],)]


async def test_opening_while_many_ask_leaves_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follows, "ACCEPTED_AT_ONCE", 7)
    cat, *others = await world.users("cat", *(f"u{n}" for n in range(40)))
    for _ in range(5):
        await world.protect(cat)
        await asyncio.gather(
            *(world.follow(other, cat) for other in others[:20]),
            world.protect(cat, protected=False),
            *(world.follow(other, cat) for other in others[20:]),
        )
        assert await world.whole("requests", cat) == []
        assert sorted(await world.whole("followers", cat)) == sorted(others)
        await assert_counts(world, cat, *others)
        await asyncio.gather(*(world.unfollow(other, cat) for other in others))


@pytest.mark.parametrize("busy", [False, True])
async def test_who_asks_at_the_last_moment_is_let_in(
    world: World, people: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch, *, busy: bool
) -> None:
    cat, ann, _ = people
    await world.follow(ann, cat)
    read, reads = follows._requesters, 0

    async def blind_at_first(connection: Connection, user_id: int) -> list[int]:
        nonlocal reads
        reads += 1
        return await read(connection, user_id) if reads > 1 else []

    monkeypatch.setattr(follows, "_requesters", blind_at_first)
    async with world.pool.connection() as connection, connection.transaction():
        if busy:
            await connection.execute("SELECT 1 FROM users WHERE user_id = %s FOR UPDATE", (ann,))
        opening = asyncio.create_task(world.protect(cat, protected=False))
        async with asyncio.timeout(10):
            while reads < 2 + busy:
                await asyncio.sleep(0.01)
        assert not (busy and opening.done())
    await opening
    assert await world.whole("followers", cat) == [ann]
    assert reads == (4 if busy else 2)


async def test_an_import_asks_too(world: World, people: tuple[int, int, int]) -> None:
    cat, ann, bob = people
    await world.block(cat, bob)
    await world.import_follows([(ann, cat), (bob, cat), (ann, bob)])
    assert await world.whole("requests", cat) == [ann]
    assert await world.whole("following", ann) == [bob]
    assert await world.whole("following", bob) == []
