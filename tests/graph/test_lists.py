"""The paging law for both lists, under inserts and deletes."""

import pytest

from aviary.graph.v1 import graph_service_pb2 as pb

from .world import World, call, refused

LISTS = ("followers", "following")


async def populate(world: World, name: str, count: int) -> tuple[int, list[int]]:
    """Somebody with a list of so many, and those, latest first."""
    me, *others = await world.users("me", *(f"u{number}" for number in range(count)))
    for other in others:
        await add(world, name, me, other)
    return me, others[::-1]


async def add(world: World, name: str, me: int, other: int) -> None:
    await (world.follow(other, me) if name == "followers" else world.follow(me, other))


async def remove(world: World, name: str, me: int, other: int) -> None:
    await (world.unfollow(other, me) if name == "followers" else world.unfollow(me, other))


@pytest.mark.parametrize("name", LISTS)
async def test_pages_of_any_size_are_the_whole(world: World, name: str) -> None:
    me, expected = await populate(world, name, 23)
    for size in (1, 2, 7, 22, 23, 24, 1000):
        assert await world.whole(name, me, size) == expected
    page, _ = await world.page(name, me, 0)
    assert page == expected[:20]


@pytest.mark.parametrize("name", LISTS)
async def test_no_repeat_and_no_miss_under_inserts_and_deletes(world: World, name: str) -> None:
    me, expected = await populate(world, name, 20)
    late = await world.users(*(f"late{number}" for number in range(5)))
    found, token = await world.page(name, me, 3)
    step = 0
    while token:
        await add(world, name, me, late[step % 5])  # in front of what was read
        await remove(world, name, me, found[-1])  # the very item that the token points behind
        if step == 1:
            await remove(world, name, me, expected[-1])  # not read yet: gone
        page, token = await world.page(name, me, 3, token)
        found += page
        step += 1
    assert found == expected[:-1]
    assert step > 5


@pytest.mark.parametrize("name", LISTS)
async def test_tokens_are_bound_to_their_call(world: World, name: str) -> None:
    me, others = await populate(world, name, 3)
    _, token = await world.page(name, me, 1)
    other_list = "following" if name == "followers" else "followers"
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(name, others[0], 1, token)
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(other_list, me, 1, token)
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(name, me, 1, "nonsense")
    with refused("PAGE_SIZE_NEGATIVE", page_size="-1"):
        await world.page(name, me, -1)
    with refused("USER_NOT_FOUND", user_id="77"):
        await world.page(name, 77, 1)


async def test_an_empty_list_is_an_empty_page(world: World) -> None:
    (me,) = await world.users("me")
    assert await world.page("followers", me, 5) == ([], "")


async def test_me_is_the_caller(world: World) -> None:
    a, b = await world.users("a", "b")
    await world.follow(a, b)
    raw = await world.graph.list_following(pb.ListFollowingRequest(user_id="me"), call(a))
    users = pb.ListFollowingResponse.FromString(raw).users
    assert [user.user_name for user in users] == ["b"]
    with refused("UNAUTHENTICATED"):
        await world.graph.list_following(pb.ListFollowingRequest(user_id="me"), call())
    with refused("INVALID_ARGUMENT", field="user_id"):
        await world.graph.list_following(pb.ListFollowingRequest(user_id="bob"), call())
