"""Timelines as a user, an operator and a browser see them, through the edge and the real stores."""

import asyncio
import functools
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import redis.asyncio

from .eventually import eventually
from .world import World

HOME = "/api/v1/home_timeline"
POLICY = "/api/v1/admin/fanout_policy"


async def follow(world: World, user: int, target: int) -> None:
    await world.act(user, "PUT", f"/api/v1/users/me/following/{target}", {})


async def ids(world: World, user: int, *texts: str) -> list[int]:
    """Posts, newest first."""
    return [int((await world.post(user, text))["tweet_id"]) for text in texts][::-1]


async def test_follow_and_unfollow_show(world: World) -> None:
    """S001-07."""
    viewer, author, other = await world.new_users(3)
    await follow(world, viewer, author)
    old = await ids(world, other, "long before", "before")
    first = await ids(world, author, "hello")
    await eventually(lambda: world.home(viewer), first)
    await follow(world, viewer, other)
    await eventually(lambda: world.home(viewer), sorted(first + old, reverse=True))
    await world.act(viewer, "DELETE", f"/api/v1/users/me/following/{other}")
    await eventually(lambda: world.home(viewer), first)


async def test_an_author_is_pulled_and_pushed_again_while_tweeting(world: World) -> None:
    """S001-66: by an override, online, without a tweet lost or doubled, whoever reads when."""
    author, operator, *viewers = await world.new_users(5)
    await world.follow((viewer, author) for viewer in viewers)
    posted = await ids(world, author, "pushed")
    for viewer in viewers:
        await eventually(functools.partial(world.home, viewer), posted)
    for mode in ("DELIVERY_MODE_PULL", "DELIVERY_MODE_UNSPECIFIED"):
        body = {"overrides": [{"user_id": str(author), "mode": mode}]}
        changed = await world.act(operator, "PATCH", POLICY, body, operator=True)
        fixed = {row["user_id"] for row in changed["policy"]["overrides"]}
        assert (str(author) in fixed) == (mode == "DELIVERY_MODE_PULL")
        for number in range(30):
            posted = await ids(world, author, f"{mode} {number}") + posted
            await asyncio.sleep(0.5)
        for viewer in viewers:
            await eventually(functools.partial(world.home, viewer), posted)
        path = f"{HOME}:explain?tweet_id={posted[0]}"
        said = await world.act(viewers[0], "GET", path)
        assert said["present"]
        pulled = said["delivery_mode"] == "DELIVERY_MODE_PULL"
        assert pulled == (mode == "DELIVERY_MODE_PULL")
        if pulled:  # the last of them are in no list
            async with redis.asyncio.from_url(world.mesh.settings.redis_url) as client:
                entries: list[Any] = await client.lrange(f"home:{{{viewers[0]}}}", 0, -1)
            assert posted[0] not in [int.from_bytes(entry[:8]) for entry in entries]
        assert await world.home(viewers[1], page_size=7) == posted


async def test_top_and_explain(world: World) -> None:
    viewer, author, friend = await world.new_users(3)
    await world.follow([(viewer, author), (viewer, friend), (friend, viewer)])
    friends, others = await ids(world, friend, "from a friend"), await ids(world, author, "news")
    latest = sorted(friends + others, reverse=True)
    await eventually(lambda: world.home(viewer), latest)
    assert await world.walk(HOME, viewer, 20, ranking="top") == friends + others
    assert await world.walk(HOME, viewer, 1, ranking="top") == friends + others
    said = await world.act(viewer, "GET", f"{HOME}:explain?tweet_id={friends[0]}")
    assert said["present"]
    assert said["score"]["closeness"] == 1.5
    said = await world.act(author, "GET", f"{HOME}:explain?tweet_id={friends[0]}")
    assert not said["present"]
    assert said["steps"][-1]["name"] == "follows"


class Browser:
    """An EventSource: reads events, remembers the last id."""

    def __init__(self, world: World, user: int) -> None:
        self._world = world
        self._user = user
        self.last_id = ""

    async def events(self) -> AsyncGenerator[tuple[str, Any], None]:
        headers = {**self._world.auth(self._user), "accept": "text/event-stream"}
        if self.last_id:
            headers["last-event-id"] = self.last_id
        timeout = httpx.Timeout(15, read=15)
        path = f"{HOME}:stream"
        async with self._world.api.stream("GET", path, headers=headers, timeout=timeout) as reply:
            assert reply.status_code == 200
            assert reply.headers["content-type"] == "text/event-stream"
            event: dict[str, str] = {}
            async for line in reply.aiter_lines():
                if line and not line.startswith(":"):
                    name, _, value = line.partition(":")
                    event[name] = value.strip()
                elif not line and "event" in event:
                    self.last_id = event.get("id", self.last_id)
                    yield event["event"], json.loads(event["data"])
                    event = {}


async def test_a_live_stream_over_the_edge_resumes(world: World) -> None:
    viewer, author = await world.new_users(2)
    await world.follow([(viewer, author)])
    browser = Browser(world, viewer)
    found: list[int] = []
    posted: list[int] = []

    async def read(count: int) -> None:
        async with asyncio.timeout(15):
            stream = browser.events()
            async for kind, data in stream:
                assert kind == "tweet", data
                found.extend(int(tweet["tweet_id"]) for tweet in data["tweets"])
                assert [user["user_id"] for user in data["users"]] == [str(author)]
                if len(found) >= count:
                    break
            await stream.aclose()

    reading = asyncio.create_task(read(3))
    await asyncio.sleep(1.0)  # without an id a stream begins when it is opened
    posted += (await ids(world, author, "one", "two", "three"))[::-1]
    await reading
    posted += (await ids(world, author, "four", "five"))[::-1]  # nobody listens
    await read(5)
    assert found == posted


async def test_a_delete_is_an_event(world: World) -> None:
    viewer, author = await world.new_users(2)
    await world.follow([(viewer, author)])
    browser = Browser(world, viewer)
    stream = browser.events()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(1.0)
    (tweet_id,) = await ids(world, author, "never mind")
    async with asyncio.timeout(15):
        assert (await waiting)[0] == "tweet"
        await world.act(author, "DELETE", f"/api/v1/tweets/{tweet_id}")
        assert await anext(stream) == ("delete", {"tweet_id": str(tweet_id)})
    await stream.aclose()
