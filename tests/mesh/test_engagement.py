"""Favourites, retweets, replies and moments through the whole mesh, over REST and gRPC."""

import asyncio
import contextlib
import random
from typing import Any

from clients.errors import PeerError
from clients.tweet import TweetClient

from .eventually import eventually
from .test_notifications import kinds
from .world import World

Page = dict[str, Any]


def ids_of(page: Page) -> list[str]:
    return [tweet["tweet_id"] for tweet in page["tweets"]]


async def home(world: World, user: int) -> Page:
    return await world.act(user, "GET", "/api/v1/home_timeline?user_id=me")


async def counts(world: World, user: int, tweet_id: str) -> dict[str, str]:
    """The counts of a tweet as a home timeline shows it."""
    [tweet] = [t for t in (await home(world, user))["tweets"] if t["tweet_id"] == tweet_id]
    return {name: value for name, value in tweet.items() if name.endswith("_count")}


async def test_a_favourite(world: World) -> None:
    """S003-03, S004-02, S001-44."""
    author, reader = await world.new_users(2)
    await world.follow([(reader, author)])
    tweet_id = (await world.post(author, "likeable"))["tweet_id"]
    path = f"/api/v1/tweets/{tweet_id}/favorites/{reader}"

    async def seen() -> list[str]:
        return ids_of(await home(world, reader))

    await eventually(seen, [tweet_id])
    for _ in range(2):
        assert (await world.act(reader, "PUT", path))["favorite_count"] == "1"

    async def shown() -> tuple[str, list[str]]:
        page = await home(world, reader)
        return page["tweets"][0]["favorite_count"], page["viewer"]["favorited_tweet_ids"]

    await eventually(shown, ("1", [tweet_id]))
    fans = await world.act(author, "GET", f"/api/v1/tweets/{tweet_id}/favorites")
    assert [user["user_id"] for user in fans["users"]] == [str(reader)]
    liked = await world.act(author, "GET", f"/api/v1/users/{reader}/favorites")
    assert ids_of(liked) == [tweet_id]
    assert [user["user_id"] for user in liked["users"]] == [str(author)]
    assert liked["viewer"]["favorited_tweet_ids"] == []
    await eventually(lambda: kinds(world, author), ["FAVORITE", "FOLLOW"])
    assert (await world.act(reader, "DELETE", path))["favorite_count"] == "0"
    unseen: tuple[str, list[str]] = ("0", [])
    await eventually(shown, unseen)
    assert ids_of(await world.act(author, "GET", f"/api/v1/users/{reader}/favorites")) == []


async def test_a_retweet(world: World) -> None:
    """S001-06, S004-04: it appears in the user's timeline and in the followers' homes, once."""
    author, fan, follower = await world.new_users(3)
    await world.follow([(follower, fan)])
    await home(world, follower)
    tweet_id = (await world.post(author, "worth telling"))["tweet_id"]
    path = f"/api/v1/tweets/{tweet_id}/retweets/{fan}"
    made = (await world.act(fan, "PUT", path))["tweet"]
    assert (await world.act(fan, "PUT", path))["tweet"]["tweet_id"] == made["tweet_id"]
    assert made["retweeted_status"]["user_id"] == str(author)

    async def seen() -> list[str]:
        return ids_of(await home(world, follower))

    await eventually(seen, [made["tweet_id"]])
    page = await home(world, follower)
    assert page["tweets"][0]["retweeted_status"]["status"] == "worth telling"
    assert {user["user_id"] for user in page["users"]} == {str(author), str(fan)}
    own = await world.act(follower, "GET", f"/api/v1/user_timeline?user_id={fan}")
    assert own["tweets"][0]["retweeted_status"]["user_id"] == str(author)
    who = await world.act(follower, "GET", f"/api/v1/tweets/{tweet_id}/retweets")
    assert [user["user_id"] for user in who["users"]] == [str(fan)]
    await eventually(lambda: kinds(world, author), ["RETWEET"])
    await world.act(follower, "PUT", f"/api/v1/tweets/{tweet_id}/favorites/me")

    async def current() -> tuple[str, str]:
        [shown] = (await home(world, follower))["tweets"]
        original = shown["retweeted_status"]
        return original["retweet_count"], original["favorite_count"]

    await eventually(current, ("1", "1"))
    await world.act(fan, "DELETE", path)
    nothing: list[str] = []
    await eventually(seen, nothing)
    assert (await world.act(fan, "GET", f"/api/v1/tweets/{tweet_id}"))["retweet_count"] == "0"


async def test_replies_and_their_conversation(world: World) -> None:
    """S001-43, S003-10, S004-03: the paths of replies and comments are the same."""
    author, answering, other = await world.new_users(3)
    root = (await world.post(author, "a question"))["tweet_id"]
    replies = []
    for user, noun in ((answering, "replies"), (other, "comments")):
        made = await world.act(
            user, "POST", f"/api/v1/tweets/{root}/{noun}", {"status": f"one of the {noun}"}
        )
        assert made["in_reply_to_tweet_id"] == root
        replies.append(made["tweet_id"])
    nested = (await world.post(author, "thanks", in_reply_to_tweet_id=replies[0]))["tweet_id"]
    for noun in ("replies", "comments"):
        page = await world.act(other, "GET", f"/api/v1/tweets/{root}/{noun}")
        assert ids_of(page) == replies[::-1]
    page = await world.act(other, "GET", f"/api/v1/tweets/{nested}/conversation")
    assert ids_of(page) == [root, *replies, nested]
    assert [tweet["tweet_id"] for tweet in page["ancestors"]] == [root, replies[0]]
    async with TweetClient(world.mesh.address("tweet")) as tweets:
        thread = await tweets.conversation(int(nested))
        assert [str(tweet.tweet_id) for tweet in thread.tweets] == [root, *replies, nested]
    assert (await world.act(other, "GET", f"/api/v1/tweets/{root}"))["reply_count"] == "2"
    await eventually(lambda: kinds(world, author), ["REPLY", "REPLY"])
    await world.act(answering, "DELETE", f"/api/v1/tweets/{replies[0]}")
    page = await world.act(other, "GET", f"/api/v1/tweets/{nested}/conversation")
    assert ids_of(page) == [root, replies[1], nested]
    [gone] = page["unavailable"]
    assert (gone["tweet_id"], gone["in_reply_to_tweet_id"]) == (replies[0], root)
    assert gone["reason"] == "UNAVAILABLE_REASON_DELETED"


async def test_a_moment(world: World) -> None:
    """S003-15."""
    maker, author, reader = await world.new_users(3)
    ids = [(await world.post(author, f"part {n}"))["tweet_id"] for n in range(3)]
    body = {"title": "The story", "tweet_ids": ids[:2]}
    moment = (await world.act(maker, "POST", "/api/v1/moments", body))["moment"]
    path = f"/api/v1/moments/{moment['moment_id']}"
    await world.act(maker, "PUT", f"{path}/tweets/{ids[2]}", {"position": 0})
    page = await world.act(reader, "GET", path)
    assert ids_of(page) == [ids[2], ids[0], ids[1]]
    assert page["moment"]["tweet_count"] == 3
    assert {user["user_id"] for user in page["users"]} == {str(maker), str(author)}
    await world.act(maker, "PATCH", path, {"description": "as it was"})
    await world.act(author, "DELETE", f"/api/v1/tweets/{ids[0]}")
    page = await world.act(reader, "GET", path)
    assert ids_of(page) == [ids[2], ids[1]]
    listed = await world.act(reader, "GET", f"/api/v1/moments?user_id={maker}")
    assert [one["description"] for one in listed["moments"]] == ["as it was"]
    await world.act(maker, "DELETE", f"{path}/tweets/{ids[2]}")
    await world.act(maker, "DELETE", path)
    reply = await world.api.get(path)
    assert reply.status_code == 404


async def storm(world: World, users: list[int], tweets: list[str], size: int) -> int:
    """So many random changes at once, the Tweet service killed halfway; how many failed."""
    chance, slots, sent, failed = random.Random(5), asyncio.Semaphore(48), 0, 0

    async def change(client: TweetClient) -> None:
        nonlocal sent, failed
        act = chance.choice([client.favorite, client.unfavorite, client.retweet, client.unretweet])
        async with slots:
            sent += 1
            try:
                await act(int(chance.choice(tweets)))
            except PeerError:
                failed += 1
                # As clients do; else all would have failed before the replica is back.
                await asyncio.sleep(0.1)

    async def kill() -> None:
        while sent < size // 2:
            await asyncio.sleep(0.01)
        restarts = world.mesh.restarts("tweet")
        world.mesh.kill("tweet")
        await world.mesh.until_healthy("tweet", restarts=restarts + 1)

    edge = world.mesh.edge_url.removeprefix("http://")
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(TweetClient(edge, token=world.token(user)))
            for user in users
        ]
        await asyncio.gather(kill(), *(change(chance.choice(clients)) for _ in range(size)))
    return failed


async def test_counts_are_those_of_the_lists_after_a_storm(world: World) -> None:
    """10,000 changes by many at once and a kill in the middle; timelines show it soon after."""
    author, reader, *users = await world.new_users(42)
    await world.follow([(reader, author)])
    tweets = [(await world.post(author, f"storm {n}"))["tweet_id"] for n in range(10)]
    assert await storm(world, users, tweets, 10_000) < 5_000
    numbers = ", ".join(tweets)
    lists = await world.sql(
        "tweet",
        "SELECT t.tweet_id, (SELECT count(*) FROM favorites f WHERE f.tweet_id = t.tweet_id),"
        " (SELECT count(*) FROM retweets r WHERE r.tweet_id = t.tweet_id),"
        " (SELECT count(*) FROM tweets o WHERE o.original_tweet_id = t.tweet_id"
        f" AND o.delete_time IS NULL) FROM tweets t WHERE t.tweet_id IN ({numbers})",
    )
    truth = {str(i): (str(likes), str(retweets)) for i, likes, retweets, _ in lists}
    assert all(retweets == rows for _, _, retweets, rows in lists)
    assert any(likes != "0" for likes, _ in truth.values())

    async def shown() -> dict[str, tuple[str, str]]:
        page = await home(world, reader)
        return {
            tweet["tweet_id"]: (tweet["favorite_count"], tweet["retweet_count"])
            for tweet in page["tweets"]
        }

    await eventually(shown, truth)
    for tweet_id in tweets:
        tweet = await world.act(reader, "GET", f"/api/v1/tweets/{tweet_id}")
        assert (tweet["favorite_count"], tweet["retweet_count"]) == truth[tweet_id]


async def test_deletion_reaches_everything_and_is_reported(world: World) -> None:
    """Promise of DeleteTweet: gone from every list, and the report says which store when."""
    author, fan, follower = await world.new_users(3)
    await world.follow([(follower, fan), (follower, author)])
    await home(world, follower)
    tweet_id = (await world.post(author, "uniquelydeletable soon"))["tweet_id"]
    for noun in ("favorites", "retweets"):
        await world.act(fan, "PUT", f"/api/v1/tweets/{tweet_id}/{noun}/me")
    moment = await world.act(
        fan, "POST", "/api/v1/moments", {"title": "m", "tweet_ids": [tweet_id]}
    )
    reply = (await world.post(fan, "an answer", in_reply_to_tweet_id=tweet_id))["tweet_id"]

    async def lists() -> dict[str, int]:
        search = await world.act(fan, "GET", "/api/v1/search?query=uniquelydeletable")
        path = f"/api/v1/moments/{moment['moment']['moment_id']}"
        timeline = await world.act(fan, "GET", f"/api/v1/user_timeline?user_id={fan}")
        return {
            "search": len(search["tweets"]),
            "moment": len((await world.act(fan, "GET", path))["tweets"]),
            "liked": len((await world.act(fan, "GET", "/api/v1/users/me/favorites"))["tweets"]),
            "retweets": sum("retweeted_status" in t for t in timeline["tweets"]),
            "home": len(ids_of(await home(world, follower))),
        }

    # At home the author's tweet and its retweet; the reply is to somebody followed.
    await eventually(lists, {"search": 1, "moment": 1, "liked": 1, "retweets": 1, "home": 3})
    await world.act(author, "DELETE", f"/api/v1/tweets/{tweet_id}")
    await eventually(lists, {"search": 0, "moment": 0, "liked": 0, "retweets": 0, "home": 1})
    thread = await world.act(fan, "GET", f"/api/v1/tweets/{reply}/conversation")
    assert [one["tweet_id"] for one in thread["unavailable"]] == [tweet_id]

    async def pending() -> list[str]:
        path = f"/api/v1/admin/deletions/{tweet_id}"
        report = await world.act(fan, "GET", path, operator=True)
        stores: list[str] = report["deletion"]["pending_stores"]
        return stores

    nothing: list[str] = []
    await eventually(pending, nothing)
