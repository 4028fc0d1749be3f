"""The call of document 003, under exactly its names, and its key's quota."""

from typing import Any

from .world import World


async def dev_key(world: World, user: int, plan: str) -> tuple[str, str]:
    """A key and its id."""
    body = {"name": "app", "plan": plan}
    made = await world.act(user, "POST", "/api/v1/dev_keys", body, operator=True)
    return made["api_dev_key"], made["dev_key"]["dev_key_id"]


async def test_all_six_names(world: World) -> None:
    """S003-17, S003-23, S003-24."""
    (me,) = await world.new_users(1)
    await world.post(me, "earlier")
    key, _ = await dev_key(world, me, "free")
    body: dict[str, Any] = {
        "api_dev_key": key,
        "tweet_data": "tweet by its old names",
        "tweet_location": "2.35,48.85",
        "user_location": "13.4,52.5",
        "media_ids": [],
        "maximum_results_to_return": 2,
    }
    reply = await world.api.post("/api/v1/tweet", json=body, headers=world.auth(me))
    assert reply.status_code == 200, reply.text
    tweet = reply.json()
    assert tweet["status"] == "tweet by its old names"
    assert tweet["location"] == {"longitude": 2.35, "latitude": 48.85}
    assert "user_location" not in reply.text
    assert [each["status"] for each in tweet["latest_tweets"]] == [tweet["status"], "earlier"]
    assert reply.headers["location"] == tweet["url"]
    shown = await world.api.get(tweet["url"])
    assert shown.json()["tweet_id"] == tweet["tweet_id"]


async def test_the_keys_quota(world: World) -> None:
    """S003-18: five a minute; the sixth is refused and says why, and other keys go on."""
    (me,) = await world.new_users(1)
    key, number = await dev_key(world, me, "trial")
    other, _ = await dev_key(world, me, "trial")

    async def post(with_key: str) -> Any:
        body = {"tweet_data": "x", "api_dev_key": with_key}
        return await world.api.post("/api/v1/tweet", json=body, headers=world.auth(me))

    for left in (4, 3, 2, 1, 0):
        reply = await post(key)
        assert reply.status_code == 200, reply.text
        assert reply.headers["ratelimit-remaining"] == str(left)
        assert reply.headers["ratelimit-limit"] == "5"
    refused = await post(key)
    assert refused.status_code == 429
    detail = refused.json()["details"][0]
    assert (detail["reason"], detail["metadata"]["quota"]) == ("QUOTA_EXCEEDED", "write")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-remaining"] == "0"
    assert (await post(other)).status_code == 200
    header = {**world.auth(me), "x-api-dev-key": key}
    by_header = await world.api.post("/api/v1/tweet", json={"status": "x"}, headers=header)
    assert by_header.status_code == 429
    usage = await world.act(me, "GET", f"/api/v1/dev_keys/{number}/usage")
    [used] = usage["usages"]
    assert (used["quota"]["name"], used["used"], used["quota"]["limit"]) == ("write", "5", "5")
