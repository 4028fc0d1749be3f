"""Who to follow: whom, in which order, with which reason, and that dismissals are for good."""

from datetime import UTC, datetime, timedelta

import pytest

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1.suggestion_pb2 import Suggestion
from services.chassis.paging import encode_page_token
from services.graph.domain_suggestions import MAX_RANKED, Candidate, reason_of
from services.graph.servicer import suggestions as servicer

from .world import World, call, refused


async def page(
    world: World, user_id: int, size: int = 0, token: str = ""
) -> tuple[list[Suggestion], str]:
    request = pb.SuggestUsersRequest(user_id=str(user_id), page_size=size, page_token=token)
    reply = await world.graph.suggest_users(request, call(user_id))
    return list(reply.suggestions), reply.next_page_token


async def suggested(world: World, user_id: int, size: int = 100) -> list[int]:
    """All suggestions, page by page."""
    found: list[int] = []
    token = ""
    while True:
        some, token = await page(world, user_id, size, token)
        assert len(some) == size or not token
        found += [one.user.user_id for one in some]
        if not token:
            return found


async def dismiss(world: World, user_id: int, target: int) -> None:
    request = pb.DismissSuggestionRequest(target_user_id=target)
    await world.graph.dismiss_suggestion(request, call(user_id))


async def test_whom_more_of_ones_followees_follow_comes_first(world: World) -> None:
    me, ann, bob, cat, one, two, three = await world.users(
        "me", "ann", "bob", "cat", "one", "two", "three"
    )
    reached = [(ann, one), (ann, two), (bob, two), (ann, three), (bob, three), (cat, three)]
    await world.import_follows([*((me, each) for each in (ann, bob, cat)), *reached])
    found, token = await page(world, me)
    assert [each.user.user_name for each in found] == ["three", "two", "one"]
    assert [each.reason for each in found] == [
        "followed by cat and 2 others you follow",
        "followed by bob and ann",
        "followed by ann",
    ]
    assert [list(each.via_user_ids) for each in found] == [[cat, bob, ann], [bob, ann], [ann]]
    assert found[0].user == await world.get(three)
    assert token == ""


async def test_huge_accounts_are_damped(world: World) -> None:
    me, ann, bob, cat, huge, small = await world.users("me", "ann", "bob", "cat", "huge", "small")
    await world.import_follows([(me, ann), (me, bob), (me, cat), (ann, small), (bob, small)])
    await world.import_follows([(ann, huge), (bob, huge), (cat, huge)])
    assert await suggested(world, me) == [huge, small]
    crowd = await world.users(*(f"u{number}" for number in range(60)))
    await world.import_follows([(each, huge) for each in crowd])
    assert (await suggested(world, me))[:2] == [small, huge]


async def test_who_follows_nobody_gets_popular_accounts(world: World) -> None:
    me, star, known, *fans = await world.users("me", "star", "known", "a", "b", "c")
    assert await suggested(world, me) == []  # nobody is popular yet
    await world.import_follows([(fans[0], known), *((fan, star) for fan in fans)])
    found, _ = await page(world, me)
    assert [(each.user.user_name, each.reason) for each in found] == [
        ("star", "popular: followed by 3 users"),
        ("known", "popular: followed by 1 user"),
    ]
    assert [list(each.via_user_ids) for each in found] == [[], []]
    await world.follow(me, fans[0])
    found, _ = await page(world, me)
    assert [each.reason for each in found] == ["followed by a", "followed by a"]


async def test_popular_ones_come_behind_those_with_a_better_reason(world: World) -> None:
    me, ann, friend, star, *fans = await world.users("me", "ann", "friend", "star", "a", "b", "c")
    await world.import_follows([(fan, star) for fan in fans])
    await world.import_follows([(me, ann), (ann, friend)])
    assert await suggested(world, me) == [friend, star]


@pytest.mark.parametrize(
    "relation", ["follow", "request", "block", "blocked", "mute", "dismissal", "gone"]
)
async def test_whom_one_does_not_want_is_not_suggested(world: World, relation: str) -> None:
    me, ann, other, left = await world.users("me", "ann", "other", "left")
    await world.import_follows([(me, ann), (ann, other), (ann, left)])
    if relation == "request":
        await world.protect(other)
    assert await suggested(world, me) == [left, other]
    match relation:
        case "follow" | "request":
            await world.follow(me, other)
        case "block":
            await world.block(me, other)
        case "blocked":
            await world.block(other, me)
        case "mute":
            await world.mute(me, other)
        case "dismissal":
            await dismiss(world, me, other)
        case "gone":
            await world.sql("DELETE FROM users WHERE user_id = %s", other)
    assert await suggested(world, me) == [left]


async def test_a_mute_that_expired_hides_nobody(world: World) -> None:
    me, ann, other = await world.users("me", "ann", "other")
    await world.import_follows([(me, ann), (ann, other)])
    await world.mute(me, other, expire_time=datetime.now(UTC) + timedelta(hours=1))
    assert await suggested(world, me) == []
    await world.sql("UPDATE mutes SET expire_time = now() - interval '1 s'")
    assert await suggested(world, me) == [other]


async def test_a_dismissal_is_for_good_and_its_owners_alone(world: World) -> None:
    me, ann, other, friend = await world.users("me", "ann", "other", "friend")
    await world.import_follows([(me, ann), (friend, ann), (ann, other)])
    await dismiss(world, me, other)
    await dismiss(world, me, other)
    await dismiss(world, me, 77)  # nobody: nothing to keep
    assert await suggested(world, me) == []
    assert await suggested(world, friend) == [other]
    await world.follow(me, other)
    await world.unfollow(me, other)
    assert await suggested(world, me) == []
    kept = await world.sql("SELECT user_id, target_user_id FROM suggestion_dismissals")
    assert kept == [(me, other)]


async def many(world: World, count: int) -> tuple[int, list[int]]:
    """Somebody with so many suggestions, and those in their order."""
    me, ann, *others = await world.users("me", "ann", *(f"u{number}" for number in range(count)))
    await world.import_follows([(me, ann), *((ann, other) for other in others)])
    return me, sorted(others, reverse=True)


async def test_pages_of_any_size_are_the_whole(world: World) -> None:
    me, expected = await many(world, 43)
    for size in (1, 2, 7, 20, 42, 43, 44, 100):
        assert await suggested(world, me, size) == expected
    assert [each.user.user_id for each in (await page(world, me))[0]] == expected[:20]


async def test_pages_keep_their_order_under_changes(world: World) -> None:
    me, expected = await many(world, 60)
    fan, late = await world.users("fan", "late")
    found, token = await page(world, me, 5)
    ids = [each.user.user_id for each in found]
    gone = [expected[3], expected[10], *expected[20:45]]
    await world.import_follows([(fan, expected[50]), (fan, expected[2]), (me, fan), (fan, late)])
    await world.follow(me, gone[0])
    await world.block(gone[1], me)
    for one in gone[2:]:
        await dismiss(world, me, one)
    while token:
        found, token = await page(world, me, 5, token)
        ids += [each.user.user_id for each in found]
    assert ids == [one for one in expected if one not in gone[1:]]
    assert late in await suggested(world, me)


async def test_what_speaks_for_nobody_any_more_is_left_out(world: World) -> None:
    me, expected = await many(world, 3)
    _, token = await page(world, me, 1)
    rows = await world.sql("SELECT user_id FROM follows WHERE target_user_id = %s", expected[1])
    await world.unfollow(rows[0][0], expected[1])
    found, token = await page(world, me, 1, token)
    assert ([each.user.user_id for each in found], token) == ([expected[2]], "")


async def test_no_more_than_are_ranked(world: World) -> None:
    me, expected = await many(world, MAX_RANKED + 3)
    assert await suggested(world, me) == expected[:MAX_RANKED]


async def test_what_is_refused(world: World) -> None:
    me, others = await many(world, 3)
    _, token = await page(world, me, 1)
    with refused("PAGE_TOKEN_INVALID"):
        await page(world, others[0], 1, token)
    for position, snapshot in [
        ([1], b"1234567"),
        ([2], b"12345678"),
        ([0], b""),
        ([1, 1], b"12345678"),
        ([MAX_RANKED + 1], b"12345678" * (MAX_RANKED + 1)),
    ]:
        forged = encode_page_token(position, servicer.NAME, me, snapshot=snapshot)
        with refused("PAGE_TOKEN_INVALID"):
            await page(world, me, 1, forged)
    with refused("PAGE_SIZE_NEGATIVE", page_size="-1"):
        await page(world, me, -1)
    for request in (pb.SuggestUsersRequest, pb.DismissSuggestionRequest):
        name = "suggest_users" if request is pb.SuggestUsersRequest else "dismiss_suggestion"
        method = getattr(world.graph, name)
        with refused("ACTING_FOR_OTHER_USER", user_id=str(me)):
            await method(request(user_id=str(me)), call(others[0]))
        with refused("UNAUTHENTICATED"):
            await method(request(user_id="me"), call())
    assert await world.sql("SELECT count(*) FROM suggestion_dismissals") == [(0,)]


def test_reasons() -> None:
    names = {1: "wren", 2: "ada", 3: "tern"}
    for count, via, reason in [
        (1, [1], "followed by wren"),
        (2, [1, 2], "followed by wren and ada"),
        (2, [1, 9], "followed by wren and 1 other you follow"),
        (4, [1, 2, 3], "followed by wren and 3 others you follow"),
        (1_500, [1, 2, 3], "followed by wren and 1,499 others you follow"),
        (0, [], "popular: followed by 2,000 users"),
    ]:
        assert reason_of(Candidate(7, 2_000, count, via), names) == reason
