"""Photo tags through the edge, over REST and gRPC (S003-12)."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.errors import PeerError
from clients.tweet import TweetClient
from tests.tweet import samples

from .command_line import aviary
from .eventually import eventually
from .test_notifications import inbox, kinds, name_of
from .world import World


async def photo(world: World, user: int) -> str:
    """The id of a photo of a user's."""
    picture = samples.picture(size=(40, 30))
    reply = await world.api.post("/api/v1/media", content=picture, headers=world.auth(user))
    assert reply.status_code == 200, reply.text
    media_id: str = reply.json()["media"]["media_id"]
    return media_id


async def shown_tags(world: World, path: str, user: int, tweet_id: str) -> list[list[str]]:
    """Whom a tweet of a list tags, each time that the list has it."""
    query = {} if "/users/" in path else {"user_id": str(user)}
    reply = await world.api.get(path, params=query, headers=world.auth(user))
    found = [tweet for tweet in reply.json()["tweets"] if tweet["tweet_id"] == tweet_id]
    return [[tag["user_id"] for tag in each["entities"]["media_tags"]] for each in found]


async def gone(world: World, user: int) -> list[bool]:
    """Of each notification whether it was taken back."""
    return [each["gone"] for each in (await inbox(world, user))["notifications"]]


async def test_tagged_told_and_taken_off(world: World) -> None:
    """S003-12: named in the answer and on every page, told, and gone from all when taken off."""
    author, tagged, other, follower = await world.new_users(4)
    await world.follow([(follower, author)])
    await world.home(follower)
    name = await name_of(world, tagged)
    made = await world.post(
        author, "two in a photo", media_ids=[await photo(world, author)],
        media_tags=[f"@{name.upper()}", str(other), str(tagged)],
    )  # fmt: skip
    assert made["entities"]["media_tags"] == [
        {"user_id": str(tagged), "user_name": name},
        {"user_id": str(other), "user_name": await name_of(world, other)},
    ]
    number, both = made["tweet_id"], [str(tagged), str(other)]
    mentions = f"/api/v1/users/{tagged}/mentions"
    for path, user in (
        ("/api/v1/home_timeline", follower),
        ("/api/v1/user_timeline", author),
        (mentions, tagged),
    ):
        await eventually(partial(shown_tags, world, path, user, number), [both])
    await eventually(lambda: kinds(world, tagged), ["MENTION"])
    await eventually(lambda: kinds(world, other), ["MENTION"])
    for _ in range(2):
        await world.act(tagged, "DELETE", f"/api/v1/tweets/{number}/media_tags/me")
    shown = (await world.api.get(f"/api/v1/tweets/{number}")).json()
    assert [tag["user_id"] for tag in shown["entities"]["media_tags"]] == [str(other)]
    home, nowhere = "/api/v1/home_timeline", list[list[str]]()
    await eventually(partial(shown_tags, world, home, follower, number), [[str(other)]])
    await eventually(partial(shown_tags, world, mentions, tagged, number), nowhere)
    await eventually(lambda: gone(world, tagged), [True])
    assert await gone(world, other) == [False]


async def test_limits_and_blocks(world: World) -> None:
    """S003-12: nobody is told whom the answer does not name."""
    author, closed, choosy, blocking, blocked, willing = await world.new_users(6)
    for user, policy in ((closed, "NOBODY"), (choosy, "FOLLOWING")):
        body = {"mention_policy": f"MENTION_POLICY_{policy}"}
        await world.act(user, "PATCH", f"/api/v1/users/{user}", body)
    await world.act(blocking, "PUT", f"/api/v1/users/{blocking}/blocks/{author}", {})
    await world.act(author, "PUT", f"/api/v1/users/{author}/blocks/{blocked}", {})
    everybody = [str(u) for u in (closed, choosy, blocking, blocked, willing)]

    async def tagged() -> list[str]:
        media = [await photo(world, author)]
        made = await world.post(author, "", media_ids=media, media_tags=everybody)
        return [tag["user_id"] for tag in made["entities"]["media_tags"]]

    assert await tagged() == [str(willing)]
    await world.act(choosy, "PUT", f"/api/v1/users/{choosy}/following/{author}")
    assert await tagged() == [str(choosy), str(willing)]
    await eventually(lambda: kinds(world, willing), ["MENTION"] * 2)
    await eventually(lambda: kinds(world, choosy), ["MENTION"])
    for user in (closed, blocking, blocked):
        assert await kinds(world, user) == []
        listed = await world.walk(f"/api/v1/users/{user}/mentions", user, 10)
        assert listed == []


async def test_over_grpc(world: World) -> None:
    author, tagged = await world.new_users(2)
    edge = world.mesh.edge_url.removeprefix("http://")
    request = pb.CreateTweetRequest(status="x", media_tags=[str(tagged)])
    request.media_ids.string_value = await photo(world, author)
    async with (
        TweetClient(edge, token=world.token(author)) as tweets,
        TweetClient(edge, token=world.token(tagged)) as mine,
    ):
        made = await tweets.create(request)
        assert [tag.user_id for tag in made.entities.media_tags] == [tagged]
        await mine.remove_media_tag(made.tweet_id)
        shown = pb.GetTweetResponse.FromString(await tweets.get_raw(made.tweet_id))
        assert list(shown.entities.media_tags) == []
        request.media_tags.append("@nobody_at_all")
        with pytest.raises(PeerError) as refused:
            await tweets.create(request)
        assert refused.value.reason == "USER_NOT_FOUND"
        assert refused.value.metadata["user"] == "@nobody_at_all"


async def test_the_command(world: World, tmp_path: Path) -> None:
    (tagged,) = await world.new_users(1)
    name = await name_of(world, tagged)
    picture = tmp_path / "picture.png"
    picture.write_bytes(samples.picture("PNG"))

    async def run(*arguments: str) -> str:
        ran = await asyncio.to_thread(
            aviary, world.mesh, *arguments, XDG_CONFIG_HOME=str(tmp_path / "config")
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    await run("signup", "cli_tags", "--password", "correct horse")
    url = await run("tweet", "us", "--media", str(picture), "--tag", name)
    tweet: dict[str, Any] = (await world.api.get(url)).json()
    assert [tag["user_name"] for tag in tweet["entities"]["media_tags"]] == [name]
