"""What is closed to somebody says so over REST, with its reason: the services agree."""

from functools import partial
from typing import Any

from .eventually import eventually
from .world import World

OWN = "/api/v1/user_timeline"


async def _answer(world: World, viewer: int, path: str, **query: Any) -> tuple[int, str]:
    """Status and reason; viewer 0 has no token."""
    headers = world.auth(viewer) if viewer else {}
    reply = await world.api.get(path, params=query, headers=headers)
    return reply.status_code, _reason(reply.json())


def _reason(body: dict[str, Any]) -> str:
    return next((d["reason"] for d in body.get("details", ()) if "reason" in d), "")


async def test_a_protected_account_is_closed_to_strangers(world: World) -> None:
    author, follower, stranger = await world.new_users(3)
    await world.follow([(follower, author)])
    tweet_id = (await world.post(author, "for friends"))["tweet_id"]
    path = f"/api/v1/tweets/{tweet_id}"
    assert await _answer(world, 0, path) == (200, "")
    await world.act(author, "PATCH", "/api/v1/users/me", {"protected": True})
    for viewer in (0, stranger):
        by_id = partial(_answer, world, viewer, path)
        await eventually(by_id, (404, "TWEET_NOT_FOUND"))
        own = partial(_answer, world, viewer, OWN, user_id=author)
        await eventually(own, (403, "USER_NOT_VISIBLE"))
    reply = await world.api.get("/api/v1/tweets:batchGet", params={"tweet_ids": tweet_id})
    assert reply.json()["tweets"] == []
    for viewer in (author, follower):
        assert await _answer(world, viewer, path) == (200, "")
        assert await _answer(world, viewer, OWN, user_id=author) == (200, "")


async def test_who_is_blocked_cannot_answer(world: World) -> None:
    author, blocked = await world.new_users(2)
    tweet_id = (await world.post(author, "not for everybody"))["tweet_id"]
    await world.act(author, "PUT", f"/api/v1/users/me/blocks/{blocked}")
    await eventually(
        lambda: _answer(world, blocked, f"/api/v1/tweets/{tweet_id}"), (404, "TWEET_NOT_FOUND")
    )
    for field in ("in_reply_to_tweet_id", "quote_tweet_id"):
        reply = await world.api.post(
            "/api/v1/tweet", json={"status": "re", field: tweet_id}, headers=world.auth(blocked)
        )
        assert (reply.status_code, _reason(reply.json())) == (403, "BLOCKED")
