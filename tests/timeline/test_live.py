"""Live streams: what one is told, and what not."""

import asyncio
import json
from typing import Any

import pytest

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.json_rendering import render

from .live_rig import Log, Replica, until

ME, FRIEND, STRANGER, OTHER = 1, 2, 3, 4


async def test_followees_and_own_tweets_arrive_as_pages_of_one(log: Log, replica: Replica) -> None:
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    tweets = [await log.post(author) for author in (FRIEND, STRANGER, ME, FRIEND)]
    await client.until_tweets(3)
    assert client.tweet_ids == [t.tweet_id for t in tweets if t.user_id != STRANGER]
    page = client.of("tweet")[0]
    assert page["tweets"] == [_plain(tweets[0])]
    assert [user["user_name"] for user in page["users"]] == ["u2"]
    assert page["next_page_token"] == ""
    assert client.pieces[0].event_stream.content_type == "text/event-stream"
    assert not client.pieces[1].event_stream.content_type
    assert replica.metric("open_streams") == 1
    await client.cut()
    assert replica.metric("open_streams") == 0
    assert replica.metric("closed_streams_total", why="client") == 1
    assert replica.metric("stream_events_total", event="tweet") == 3


async def test_the_rules_of_a_home_page_hold(log: Log, replica: Replica) -> None:
    world = log.world
    world.follow(ME, FRIEND, OTHER, 5, 6)
    world.user(STRANGER)
    world.hidden.add((ME, OTHER))
    world.no_retweets.add((ME, 5))
    world.protected.add(STRANGER)
    original = world.post(STRANGER)
    public = world.post(7)
    client = await replica.open(ME).opened()
    await log.post(OTHER)
    await log.post(5, retweeted_status=public)
    await log.post(6, retweeted_status=original)
    await log.post(FRIEND, in_reply_to_tweet_id=public.tweet_id, in_reply_to_user_id=7)
    kept = [
        await log.post(6, retweeted_status=public),
        await log.post(FRIEND, in_reply_to_tweet_id=1, in_reply_to_user_id=5),
    ]
    await client.until_tweets(2)
    assert client.tweet_ids == [tweet.tweet_id for tweet in kept]
    assert client.tweet_ids == world.truth(ME)[::-1]
    assert {user["user_id"] for user in client.of("tweet")[0]["users"]} == {"6", "7"}
    await client.cut()


async def test_a_deleted_tweet_is_a_delete(log: Log, replica: Replica) -> None:
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    tweet, foreign = await log.post(FRIEND), await log.post(STRANGER)
    await client.until_tweets(1)
    await log.delete(tweet)
    await log.delete(foreign)
    await log.post(FRIEND)
    await client.until_tweets(2)
    assert client.of("delete") == [{"tweet_id": str(tweet.tweet_id)}]
    await client.cut()


async def test_a_tweet_is_not_told_after_its_delete_was_seen(log: Log, replica: Replica) -> None:
    """Its content is in a cache: only the log says that it is gone."""
    log.world.follow(ME, FRIEND)
    first = await replica.open(ME).opened()
    slow = await replica.open(ME).opened()
    slow.paused.clear()
    await log.post(FRIEND)  # the piece after which it reads no more
    await until(lambda: len(slow.pieces) == 2)
    tweet = await log.post(FRIEND)
    await first.until_tweets(2)
    await log.delete(tweet)
    await until(lambda: bool(first.of("delete")))
    slow.paused.set()
    await until(lambda: bool(slow.of("delete")))
    assert tweet.tweet_id in first.tweet_ids
    assert tweet.tweet_id not in slow.tweet_ids
    await first.cut()
    await slow.cut()


async def test_a_delete_that_is_seen_during_the_rendering_counts(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    live: Any = replica.live
    present, deleted = live._sources.renderer._home.present, live._sources.history.deleted

    async def present_late(found: Any, viewer: Any) -> Any:
        page = await present(found, viewer)
        if not deleted:
            deleted.add(found.shown[0][0])
        return page

    monkeypatch.setattr(live._sources.renderer._home, "present", present_late)
    await log.post(FRIEND)
    kept = await log.post(FRIEND)
    await client.until_tweets(1)
    assert client.tweet_ids == [kept.tweet_id]
    await client.cut()


async def test_what_cannot_be_found_is_left_out(log: Log, replica: Replica) -> None:
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    missing = Tweet(tweet_id=5, user_id=FRIEND)
    await log.append(payload_pb2.TweetCreated(tweet=missing), FRIEND)
    await log.post(FRIEND)
    await client.until_tweets(1)
    assert 5 not in client.tweet_ids
    await client.cut()


async def test_relations_change_while_a_stream_is_open(log: Log, replica: Replica) -> None:
    client = await replica.open(ME).opened()
    expected: list[int] = []

    async def post_until_told(author: int) -> None:
        async with asyncio.timeout(15):
            while True:
                tweet = await log.post(author)
                await asyncio.sleep(0.05)
                if tweet.tweet_id in client.tweet_ids:
                    expected.append(tweet.tweet_id)
                    return

    await log.follow(ME, FRIEND)
    await post_until_told(FRIEND)
    log.world.follows.discard((ME, FRIEND))
    await log.append(payload_pb2.UserUnfollowed(user_id=ME, target_user_id=FRIEND), ME)
    await log.follow(ME, OTHER)
    await post_until_told(OTHER)  # so this replica knows of the unfollow as well
    gone = await log.post(FRIEND)
    log.world.hidden.add((ME, OTHER))
    await log.append(payload_pb2.UserBlocked(user_id=OTHER, target_user_id=ME), OTHER)
    await log.follow(ME, 5)
    await post_until_told(5)
    blocked = await log.post(OTHER)
    await post_until_told(5)
    assert not {gone.tweet_id, blocked.tweet_id} & set(client.tweet_ids)
    await client.cut()


def _plain(tweet: Tweet) -> Any:
    return json.loads(render(tweet))
