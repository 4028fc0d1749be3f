"""Inboxes through the whole mesh, over REST, gRPC and Server-Sent Events."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from clients.notify import NotifyClient

from .eventually import eventually
from .world import World


def inbox_path(user: int) -> str:
    return f"/api/v1/users/{user}/notifications"


async def inbox(world: World, user: int, **params: str) -> dict[str, Any]:
    reply = await world.api.get(inbox_path(user), params=params, headers=world.auth(user))
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def kinds(world: World, user: int) -> list[str]:
    found = (await inbox(world, user, page_size="100"))["notifications"]
    return [each["kind"].removeprefix("NOTIFICATION_KIND_") for each in found]


async def name_of(world: World, user: int) -> str:
    rows = await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {user}")
    name: str = rows[0][0]
    return name


async def test_follow_mention_reply_and_followed_tweets(world: World) -> None:
    """S003-12, S003-13."""
    me, other, third = await world.new_users(3)
    name = await name_of(world, me)
    await world.act(other, "PUT", f"/api/v1/users/{other}/following/{me}")
    await eventually(lambda: kinds(world, me), ["FOLLOW"])
    mention = await world.post(other, f"hello @{name}")
    await eventually(lambda: kinds(world, me), ["MENTION", "FOLLOW"])
    mine = await world.post(me, "a question")
    answer = await world.post(third, "an answer", in_reply_to_tweet_id=mine["tweet_id"])
    await eventually(lambda: kinds(world, me), ["REPLY", "MENTION", "FOLLOW"])
    page = await inbox(world, me)
    assert page["unread_count"] == "3"
    assert page["notifications"][0]["tweet_id"] == answer["tweet_id"]
    assert page["notifications"][1]["tweet_id"] == mention["tweet_id"]
    assert page["notifications"][1]["actors"][0]["user_id"] == str(other)
    assert page["notifications"][2]["text"].endswith(" followed you")
    assert await kinds(world, other) == []
    path = f"/api/v1/users/{other}/following/{me}"
    await world.act(other, "PATCH", path, {"notify": True})
    await world.post(me, "for those who asked")
    await eventually(lambda: kinds(world, other), ["TWEET"])
    await world.act(third, "DELETE", f"/api/v1/tweets/{answer['tweet_id']}")

    async def gone() -> bool:
        shown: bool = (await inbox(world, me))["notifications"][0]["gone"]
        return shown

    await eventually(gone, True)
    assert (await inbox(world, me))["unread_count"] == "2"


async def test_nothing_of_whoever_is_blocked_muted_or_closed(world: World) -> None:
    """Also of those whom one does not follow; the last event shows that all were read."""
    me, blocked, blocking, muted, closed, other = await world.new_users(6)
    name = await name_of(world, me)
    await world.act(me, "PUT", f"/api/v1/users/{me}/blocks/{blocked}", {})
    await world.act(blocking, "PUT", f"/api/v1/users/{blocking}/blocks/{me}", {})
    await world.act(me, "PUT", f"/api/v1/users/{me}/mutes/{muted}", {})
    await world.act(closed, "PATCH", f"/api/v1/users/{closed}", {"protected": True})
    for user in (blocked, blocking, muted, closed, other):
        await world.post(user, f"@{name} listen")
        # Another author's tweet may be in another partition of the log: each in its turn.
        await world.post(other, f"@{name} after {user}")

    async def actors() -> tuple[int, set[str]]:
        found = (await inbox(world, me))["notifications"]
        return len(found), {each["user_id"] for one in found for each in one["actors"]}

    await eventually(actors, (6, {str(other)}))
    await asyncio.sleep(1.0)
    assert await actors() == (6, {str(other)})


async def test_two_devices_share_one_badge(world: World) -> None:
    me, *others = await world.new_users(4)
    for other in others:
        await world.act(other, "PUT", f"/api/v1/users/{other}/following/{me}")

    async def actors() -> list[str]:
        return [each["actor_count"] for each in (await inbox(world, me))["notifications"]]

    await eventually(actors, ["3"])
    newest = (await inbox(world, me))["notifications"][0]["notification_id"]
    address = world.mesh.edge_url.removeprefix("http://")
    async with NotifyClient(address, token=world.token(me)) as phone:
        assert await phone.unread_count() == 1
        assert (await phone.mark_read(int(newest))).unread_count == 0
    again = await world.act(me, "POST", f"{inbox_path(me)}:markRead", {"notification_id": "1"})
    assert again == {"unread_count": "0", "read_up_to_id": newest}
    assert (await inbox(world, me))["notifications"][0]["read"] is True


async def test_pages_of_any_size_are_the_whole(world: World) -> None:
    me, other = await world.new_users(2)
    name = await name_of(world, me)
    for number in range(7):
        await world.post(other, f"{number} @{name}")
    await eventually(lambda: kinds(world, me), ["MENTION"] * 7)
    whole = [each["notification_id"] for each in (await inbox(world, me))["notifications"]]
    walked: list[str] = []
    token = ""
    while True:
        page = await inbox(world, me, page_size="3", page_token=token)
        walked += [each["notification_id"] for each in page["notifications"]]
        token = page["next_page_token"]
        if not token:
            break
    assert walked == whole


@asynccontextmanager
async def live(
    world: World, user: int, last: str = ""
) -> AsyncIterator[AsyncIterator[tuple[str, str, Any]]]:
    """A stream's events: kind, id and data."""
    headers = world.auth(user) | ({"last-event-id": last} if last else {})
    timeout = httpx.Timeout(15)
    async with world.api.stream(
        "GET", f"{inbox_path(user)}:stream", headers=headers, timeout=timeout
    ) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/event-stream"

        async def events() -> AsyncIterator[tuple[str, str, Any]]:
            fields: dict[str, str] = {}
            async for line in reply.aiter_lines():
                if line:
                    field, _, value = line.partition(": ")
                    fields[field] = value
                else:
                    kind, data = fields.get("event", ""), fields.get("data", "null")
                    yield kind, fields.get("id", ""), json.loads(data)
                    fields = {}

        yield events()


async def test_the_stream_tells_and_resumes(world: World) -> None:
    me, other = await world.new_users(2)
    name = await name_of(world, me)
    async with live(world, me) as events:
        assert (await anext(events))[0] == ""
        await world.post(other, f"one @{name}")
        kind, last, first = await anext(events)
        assert (kind, first["kind"]) == ("notification", "NOTIFICATION_KIND_MENTION")
        assert await anext(events) == ("unread", last, {"unread_count": "1"})
    await world.post(other, f"two @{name}")
    await world.post(other, f"three @{name}")
    await eventually(lambda: kinds(world, me), ["MENTION"] * 3)
    async with live(world, me, last) as events:
        await anext(events)
        missed = [await anext(events) for _ in range(2)]
        assert [kind for kind, _, _ in missed] == ["notification", "notification"]
        ids = [int(data["notification_id"]) for _, _, data in missed]
        assert ids == sorted(ids)
        assert ids[0] > int(first["notification_id"])
        assert (await anext(events))[2] == {"unread_count": "3"}
        await world.act(me, "POST", f"{inbox_path(me)}:markRead", {"notification_id": str(ids[1])})
        assert (await anext(events))[2] == {"unread_count": "0"}


async def test_killing_the_notifier_loses_and_doubles_nothing(world: World) -> None:
    """S000-45: stopped it only grows a backlog; started again each is told once."""
    me, other = await world.new_users(2)
    name = await name_of(world, me)
    restarts = world.mesh.restarts("notifier")
    for number in range(20):
        await world.post(other, f"{number} @{name}")
        if number == 10:
            world.mesh.kill("notifier", signal.SIGKILL)
    await world.mesh.until_healthy("notifier", restarts=restarts + 1)
    await eventually(lambda: kinds(world, me), ["MENTION"] * 20)
    assert (await inbox(world, me))["unread_count"] == "20"


async def test_an_inbox_is_its_users_alone(world: World) -> None:
    """API1: nobody reads, marks or streams another's."""
    me, other = await world.new_users(2)
    calls = [
        ("GET", inbox_path(me), None),
        ("GET", f"{inbox_path(me)}:unreadCount", None),
        ("GET", f"{inbox_path(me)}:stream", None),
        ("POST", f"{inbox_path(me)}:markRead", {"notification_id": "1"}),
        ("GET", f"/api/v1/users/{me}/notification_preferences", None),
        ("PATCH", f"/api/v1/users/{me}/notification_preferences", {"only_following": True}),
    ]
    for verb, path, body in calls:
        reply = await world.api.request(verb, path, json=body, headers=world.auth(other))
        reason = reply.json()["details"][0]["reason"]
        assert (reply.status_code, reason) == (403, "ACTING_FOR_OTHER_USER"), path
        reply = await world.api.request(verb, path, json=body)
        assert reply.status_code == 401, path


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"quiet_hours": {"start_minute": 1440}}, "not 0 to 1439"),
        ({"quiet_hours": {"end_minute": -1}}, "not 0 to 1439"),
        ({"quiet_hours": {"time_zone": "Mars/Olympus"}}, "no zone like"),
        ({"kinds": [{"kind": "NOTIFICATION_KIND_UNSPECIFIED"}]}, "no kind"),
    ],
)
async def test_bad_preferences(world: World, body: dict[str, Any], problem: str) -> None:
    [me] = await world.new_users(1)
    path = f"/api/v1/users/{me}/notification_preferences"
    reply = await world.api.patch(path, json=body, headers=world.auth(me))
    assert reply.status_code == 400
    info = reply.json()["details"][0]
    assert (info["reason"], problem in info["metadata"]["problem"]) == ("INVALID_ARGUMENT", True)
    assert "quiet_hours" not in (await world.act(me, "GET", path))["preferences"]


async def test_changes_at_the_same_time_all_hold(world: World) -> None:
    """Each device changes one thing; none takes back what another said."""
    [me] = await world.new_users(1)
    path = f"/api/v1/users/{me}/notification_preferences"
    shown = (await world.act(me, "GET", path))["preferences"]["kinds"]
    changes = [{"kinds": [{"kind": each["kind"], "email": not each["email"]}]} for each in shown]
    await asyncio.gather(*(world.act(me, "PATCH", path, change) for change in changes))
    after = (await world.act(me, "GET", path))["preferences"]["kinds"]
    assert [each["email"] for each in after] == [not each["email"] for each in shown]


async def test_marking_what_is_not_there(world: World) -> None:
    [me] = await world.new_users(1)
    for body, status, reason in [
        ({"notification_id": "987"}, 404, "NOTIFICATION_NOT_FOUND"),
        ({}, 400, "INVALID_ARGUMENT"),
    ]:
        reply = await world.api.post(
            f"{inbox_path(me)}:markRead", json=body, headers=world.auth(me)
        )
        assert (reply.status_code, reply.json()["details"][0]["reason"]) == (status, reason)
