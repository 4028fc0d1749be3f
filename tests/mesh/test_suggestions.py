"""Who to follow, through the whole mesh over REST."""

from typing import Any

from .world import World

PATH = "/api/v1/users/me/suggestions"


async def suggestions(world: World, user_id: int, **query: str) -> dict[str, Any]:
    path = f"/api/v1/users/{user_id}/suggestions"
    reply = await world.api.get(path, params=query, headers=world.auth(user_id))
    assert reply.status_code == 200, reply.text
    page: dict[str, Any] = reply.json()
    return page


def reached(page: dict[str, Any]) -> list[int]:
    """Those of a page who are followed by somebody whom the caller follows."""
    return [int(one["user"]["user_id"]) for one in page["suggestions"] if one["via_user_ids"]]


async def test_suggested_followed_and_dismissed(world: World) -> None:
    """S003-14."""
    me, ann, bob, one, two, three = await world.new_users(6)
    await world.follow([(me, ann), (me, bob), (ann, one), (bob, one), (ann, two), (bob, three)])
    await world.act(three, "PATCH", "/api/v1/users/me", {"protected": True})
    page = await suggestions(world, me)
    assert reached(page) == [one, three, two]
    first = page["suggestions"][0]
    names = dict(await world.sql("graph", "SELECT user_id, user_name FROM users"))
    assert first["reason"] == f"followed by {names[bob]} and {names[ann]}"
    assert first["via_user_ids"] == [str(bob), str(ann)]
    assert first["user"]["user_name"] == names[one]
    await world.act(me, "DELETE", f"{PATH}/{one}")
    await world.act(me, "DELETE", f"{PATH}/{one}")
    asked = await world.act(me, "PUT", f"/api/v1/users/me/following/{three}", {})
    assert asked["follow"]["state"] == "FOLLOW_STATE_REQUESTED"
    assert reached(await suggestions(world, me)) == [two]
    await world.act(me, "PUT", f"/api/v1/users/me/following/{two}", {})
    await world.act(me, "DELETE", f"/api/v1/users/me/following/{two}")
    assert reached(await suggestions(world, me)) == [two]
    await world.act(two, "PUT", f"/api/v1/users/me/blocks/{me}")
    assert reached(await suggestions(world, me)) == []


async def test_a_newcomer_gets_popular_accounts_page_by_page(world: World) -> None:
    me, star, second, *fans = await world.new_users(503)  # more than anybody in the graphs has
    await world.follow([(fan, star) for fan in fans] + [(fan, second) for fan in fans[1:]])
    whole = (await suggestions(world, me, page_size="100"))["suggestions"]
    found = {int(one["user"]["user_id"]): one["reason"] for one in whole}
    assert found[star] == "popular: followed by 500 users"
    assert found[second] == "popular: followed by 499 users"
    assert list(found).index(star) < list(found).index(second)
    ids: list[int] = []
    token = ""
    while len(ids) < len(found):
        page = await suggestions(world, me, page_size="7", page_token=token)
        ids += [int(one["user"]["user_id"]) for one in page["suggestions"]]
        token = page["next_page_token"]
    assert ids[: len(found)] == list(found)


async def test_only_ones_own(world: World) -> None:
    me, other = await world.new_users(2)
    path = f"/api/v1/users/{other}/suggestions"
    for verb, at in (("GET", path), ("DELETE", f"{path}/{me}")):
        reply = await world.api.request(verb, at, headers=world.auth(me))
        assert (reply.status_code, reply.json()["details"][0]["reason"]) == (
            403,
            "ACTING_FOR_OTHER_USER",
        )
        assert (await world.api.request(verb, at)).status_code == 401
