"""What nobody may do with direct messages: bad ones, bad conversations, those of others."""

from typing import Any

import pytest

from .test_messages import PATH, friends, refused, say, start, texts
from .world import World


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"text": ""}, "MESSAGE_EMPTY"),
        ({"text": "  \n "}, "MESSAGE_EMPTY"),
        ({"text": "x" * 10_001}, "MESSAGE_TOO_LONG"),
        ({"text": "a\u0000b"}, "INVALID_ARGUMENT"),
        ({"text": "x", "tweet_id": "987"}, "TWEET_NOT_FOUND"),
    ],
)
async def test_bad_messages(world: World, body: dict[str, Any], reason: str) -> None:
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    assert await refused(world, ann, "POST", f"{PATH}/{where}/messages", body) == reason
    assert await texts(world, bob, where) == []


async def test_bad_conversations(world: World) -> None:
    users = await friends(world, 2)
    many = await world.new_users(50)
    for ids, reason in [
        ([users[0]], "CONVERSATION_MEMBERS"),
        ([], "CONVERSATION_MEMBERS"),
        (many, "CONVERSATION_MEMBERS"),
        ([987], "USER_NOT_FOUND"),
    ]:
        body = {"user_ids": [str(one) for one in ids]}
        assert await refused(world, users[0], "POST", PATH, body) == reason
    titled: dict[str, Any] = {"user_ids": [str(users[1])], "title": "x" * 101}
    assert await refused(world, users[0], "POST", PATH, titled) == "INVALID_ARGUMENT"


async def test_other_peoples_conversations_do_not_exist(world: World) -> None:
    """API1: every method, by somebody who is not in it."""
    ann, bob, other = await friends(world, 3)
    where = await start(world, ann, bob)
    sent = await say(world, ann, where, "private")
    number = sent["message_id"]
    for verb, path, body in [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", ":accept", {}),
        ("POST", ":markRead", {"message_id": number}),
        ("GET", "/messages", None),
        ("POST", "/messages", {"text": "me too"}),
        ("DELETE", f"/messages/{number}", None),
    ]:
        reason = await refused(world, other, verb, f"{PATH}/{where}{path}", body)
        assert reason == "CONVERSATION_NOT_FOUND", (verb, path)
    assert await texts(world, bob, where) == ["private"]
    missing = {"message_id": "987"}
    assert await refused(world, ann, "POST", f"{PATH}/{where}:markRead", missing) == (
        "MESSAGE_NOT_FOUND"
    )
