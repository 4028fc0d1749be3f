"""The paging law for all lists of users, under inserts and deletes."""

import pytest

from aviary.graph.v1 import graph_service_pb2 as pb

from .world import LISTS as REQUESTS
from .world import World, call, refused

LISTS = ("followers", "following", "requests", "blocks", "mutes")
PRIVATE = LISTS[2:]


async def populate(world: World, name: str, count: int) -> tuple[int, list[int]]:
    """Somebody with a list of so many, and those in its order."""
    me, *others = await world.users("me", *(f"u{number}" for number in range(count)))
    if name == "requests":
        await world.protect(me)
    for other in others:
        await add(world, name, me, other)
    return me, others if name == "requests" else others[::-1]


async def add(world: World, name: str, me: int, other: int) -> None:
    match name:
        case "followers" | "requests":
            await world.follow(other, me)
        case "following":
            await world.follow(me, other)
        case "blocks":
            await world.block(me, other)
        case "mutes":
            await world.mute(me, other)


async def remove(world: World, name: str, me: int, other: int) -> None:
    match name:
        case "followers" | "requests":
            await world.unfollow(other, me)
        case "following":
            await world.unfollow(me, other)
        case "blocks":
            await world.unblock(me, other)
        case "mutes":
            await world.unmute(me, other)


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
    front = name != "requests"  # where what is new stands: in front of what was read, or behind
    found, token = await world.page(name, me, 3)
    step = 0
    while token:
        if front or step == 1:
            await add(world, name, me, late[step % 5])
        await remove(world, name, me, found[-1])  # the very item that the token points behind
        if step == 1:
            await remove(world, name, me, expected[-1])  # not read yet: gone
        page, token = await world.page(name, me, 3, token)
        found += page
        step += 1
    assert found == (expected[:-1] if front else [*expected[:-1], late[1]])
    assert step > 5


@pytest.mark.parametrize("name", LISTS)
async def test_tokens_are_bound_to_their_call(world: World, name: str) -> None:
    me, others = await populate(world, name, 3)
    _, token = await world.page(name, me, 1)
    other_list = "following" if name != "following" else "followers"
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(name, others[0], 1, token)
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(other_list, me, 1, token)
    with refused("PAGE_TOKEN_INVALID"):
        await world.page(name, me, 1, "nonsense")
    with refused("PAGE_SIZE_NEGATIVE", page_size="-1"):
        await world.page(name, me, -1)
    if name not in PRIVATE:
        with refused("USER_NOT_FOUND", user_id="77"):
            await world.page(name, 77, 1)


@pytest.mark.parametrize("name", PRIVATE)
async def test_what_is_private_is_read_by_its_owner_only(world: World, name: str) -> None:
    me, others = await populate(world, name, 1)
    request_class, method = REQUESTS[name]
    with refused("ACTING_FOR_OTHER_USER", user_id=str(me)):
        await getattr(world.graph, method)(request_class(user_id=str(me)), call(others[0]))
    with refused("UNAUTHENTICATED"):
        await getattr(world.graph, method)(request_class(user_id=str(me)), call())


async def test_an_empty_list_is_an_empty_page(world: World) -> None:
    (me,) = await world.users("me")
    for name in LISTS:
        assert await world.page(name, me, 5) == ([], "")


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
