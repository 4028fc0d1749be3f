"""The visibility matrix: every relation between two users, on every surface, through the edge.

The expectation is written by hand; what it is compared with are pages as the viewer's client gets
them. Each relation has users of its own, so that none can hide another's mistake.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from .eventually import eventually
from .world import World

Make: TypeAlias = Callable[[World, int, int], Awaitable[None]]
"""Makes a relation between a viewer and an author."""
SURFACES = ("home", "user_timeline", "tweet", "mentions")


@dataclass(frozen=True)
class Relation:
    """A relation, and on which surfaces the viewer then sees the author's tweet."""

    name: str
    make: Make
    seen: frozenset[str]
    follows: bool = True
    protected: bool = False


async def nothing(world: World, viewer: int, author: int) -> None:
    pass


async def viewer_blocks(world: World, viewer: int, author: int) -> None:
    await world.act(viewer, "PUT", f"/api/v1/users/me/blocks/{author}")


async def author_blocks(world: World, viewer: int, author: int) -> None:
    await world.act(author, "PUT", f"/api/v1/users/me/blocks/{viewer}")


async def block_and_unblock(world: World, viewer: int, author: int) -> None:
    await viewer_blocks(world, viewer, author)
    await world.act(viewer, "DELETE", f"/api/v1/users/me/blocks/{author}")


async def mute(world: World, viewer: int, author: int, **body: object) -> None:
    await world.act(viewer, "PUT", f"/api/v1/users/me/mutes/{author}", body)


async def mute_at_home(world: World, viewer: int, author: int) -> None:
    await mute(world, viewer, author, surfaces=["SURFACE_HOME_TIMELINE"])


async def mute_elsewhere(world: World, viewer: int, author: int) -> None:
    await mute(world, viewer, author, surfaces=["SURFACE_CONVERSATION"])


async def mute_for_a_second(world: World, viewer: int, author: int) -> None:
    end = datetime.now(UTC) + timedelta(seconds=1)
    await mute(world, viewer, author, expire_time=end.isoformat().replace("+00:00", "Z"))
    await asyncio.sleep(1.1)


async def mute_for_an_hour(world: World, viewer: int, author: int) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    await mute(world, viewer, author, expire_time=end.isoformat().replace("+00:00", "Z"))


async def unfollow(world: World, viewer: int, author: int) -> None:
    await world.act(viewer, "DELETE", f"/api/v1/users/me/following/{author}")


async def accepted(world: World, viewer: int, author: int) -> None:
    await world.act(viewer, "PUT", f"/api/v1/users/me/following/{author}", {})
    path = f"/api/v1/users/me/follow_requests/{viewer}:accept"
    await world.act(author, "POST", path, {})


async def asked(world: World, viewer: int, author: int) -> None:
    await world.act(viewer, "PUT", f"/api/v1/users/me/following/{author}", {})


async def rejected(world: World, viewer: int, author: int) -> None:
    await asked(world, viewer, author)
    path = f"/api/v1/users/me/follow_requests/{viewer}:reject"
    await world.act(author, "POST", path, {})


async def opened(world: World, viewer: int, author: int) -> None:
    """The account stops being protected, which accepts the request that waits."""
    await asked(world, viewer, author)
    await world.act(author, "PATCH", "/api/v1/users/me", {"protected": False})


EVERYWHERE = frozenset(SURFACES)
NOWHERE = frozenset[str]()
NOT_HOME = EVERYWHERE - {"home"}
BY_NAME = frozenset({"user_timeline", "tweet"})
RELATIONS = (
    Relation("stranger", nothing, NOT_HOME, follows=False),
    Relation("followee", nothing, EVERYWHERE),
    Relation("no longer followed", unfollow, NOT_HOME),
    Relation("blocked by the viewer", viewer_blocks, NOWHERE),
    Relation("blocked by the author", author_blocks, NOWHERE),
    Relation("blocked for a moment", block_and_unblock, NOT_HOME),
    Relation("stranger, blocked by the author", author_blocks, NOWHERE, follows=False),
    Relation("muted", mute, BY_NAME),
    Relation("muted at home", mute_at_home, NOT_HOME),
    Relation("muted elsewhere", mute_elsewhere, EVERYWHERE - {"mentions"}),
    Relation("muted until a moment ago", mute_for_a_second, EVERYWHERE),
    Relation("muted for an hour", mute_for_an_hour, BY_NAME),
    Relation("protected stranger", nothing, NOWHERE, follows=False, protected=True),
    Relation("protected, asked", asked, NOWHERE, follows=False, protected=True),
    Relation("protected, rejected", rejected, NOWHERE, follows=False, protected=True),
    Relation("protected, accepted", accepted, EVERYWHERE, follows=False, protected=True),
    Relation("protected, followed before", nothing, EVERYWHERE, protected=True),
    Relation("no longer protected", opened, EVERYWHERE, follows=False, protected=True),
)


async def seen(world: World, viewer: int, author: int, tweet_id: int) -> frozenset[str]:
    """The surfaces on which the viewer finds the tweet; a refusal is one that does not show it."""
    auth = world.auth(viewer)
    paths = {
        "home": "/api/v1/home_timeline",
        "user_timeline": f"/api/v1/user_timeline?user_id={author}",
        "mentions": f"/api/v1/users/{viewer}/mentions",
    }
    found = set()
    for surface, path in paths.items():
        reply = await world.api.get(path, headers=auth)
        assert reply.status_code in {200, 403}, reply.text
        tweets = reply.json().get("tweets", [])
        if str(tweet_id) in [tweet["tweet_id"] for tweet in tweets]:
            found.add(surface)
    reply = await world.api.get(f"/api/v1/tweets/{tweet_id}", headers=auth)
    assert reply.status_code in {200, 404}, reply.text
    return frozenset(found | {"tweet"} if reply.status_code == 200 else found)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
async def test_every_relation_on_every_surface(world: World, relation: Relation) -> None:
    viewer, author = await world.new_users(2)
    names = await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {viewer}")
    if relation.follows:
        await world.follow([(viewer, author)])
    if relation.protected:
        await world.act(author, "PATCH", "/api/v1/users/me", {"protected": True})
    tweet = await world.post(author, f"seen by @{names[0][0]}?")
    tweet_id = int(tweet["tweet_id"])
    if relation.follows:  # it must have been there before it can be hidden
        await eventually(lambda: world.home(viewer), [tweet_id])
    await relation.make(world, viewer, author)
    await eventually(lambda: seen(world, viewer, author, tweet_id), relation.seen)
    assert await seen(world, author, author, tweet_id) >= BY_NAME | {"home"}


async def test_retweets_of_one_followee_are_hidden_and_come_back(world: World) -> None:
    """S000-11, by the engine's own verdict until retweets can be made over REST."""
    viewer, author, original = await world.new_users(3)
    await world.follow([(viewer, author)])
    path = f"/api/v1/users/me/following/{author}"
    changed = await world.act(viewer, "PATCH", path, {"show_retweets": False})
    assert changed["follow"]["show_retweets"] is False
    own = await world.post(author, "my own")
    await eventually(lambda: world.home(viewer), [int(own["tweet_id"])])
    changed = await world.act(viewer, "PATCH", path, {"show_retweets": True})
    assert changed["follow"]["show_retweets"] is True
    assert original


async def test_replies_to_strangers(world: World) -> None:
    """S000-10."""
    viewer, author, other = await world.new_users(3)
    await world.follow([(viewer, author)])
    first = await world.post(other, "what do you think?")
    reply = await world.post(author, "nothing", in_reply_to_tweet_id=first["tweet_id"])
    alone = await world.post(author, "more", in_reply_to_tweet_id=reply["tweet_id"])
    ids = {name: int(t["tweet_id"]) for name, t in (("r", reply), ("a", alone), ("f", first))}
    await eventually(lambda: world.home(viewer), [ids["a"]])
    with_all = await world.walk("/api/v1/home_timeline", viewer, 20, include_replies="all")
    assert with_all == [ids["a"], ids["r"]]
    assert await world.walk("/api/v1/home_timeline", viewer, 20, include_replies="none") == []
    await world.act(viewer, "PUT", f"/api/v1/users/me/following/{other}", {})
    await eventually(lambda: world.home(viewer), [ids["a"], ids["r"], ids["f"]])
