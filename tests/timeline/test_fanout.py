"""The worker's effects on the lists."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from aviary.events.v1.event_pb2 import Event
from services.chassis.snowflake import wall_clock_ms
from services.local.mesh import Mesh
from services.timeline import domain
from services.timeline.domain import COMPLETE, LATE, MEDIA, QUOTE, REPLY, RETWEET, SENSITIVE
from services.timeline.policy.domain import State
from services.timeline.store import RING, key_of

from .rig import Rig, open_rig
from .world import World, created, followed

AUTHOR = 90


async def make_active(rig: Rig, *user_ids: int) -> None:
    """Lists as a first read of an empty timeline leaves them."""
    for user_id in user_ids:
        await rig.redis.rpush(key_of(user_id), COMPLETE)


async def test_followers_and_the_author_get_it_and_nobody_else(rig: Rig, world: World) -> None:
    for reader in (1, 2, 3):
        world.follow(reader, AUTHOR)
    world.user(4)
    await make_active(rig, 1, 2, 4, AUTHOR)
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet)
    entry = domain.pack(tweet.tweet_id, AUTHOR, 0)
    assert [await rig.entries(u) for u in (1, 2, AUTHOR)] == [[entry, COMPLETE]] * 3
    assert await rig.entries(3) == []  # not active: nothing is written
    assert await rig.entries(4) == [COMPLETE]
    assert rig.metric("aviary_timeline_deliveries_total") == 3
    assert rig.metric("aviary_timeline_inactive_deliveries_total") == 1


async def test_flags(rig: Rig, world: World) -> None:
    await make_active(rig, AUTHOR)
    tweets = [
        world.post(AUTHOR, in_reply_to_tweet_id=5),
        world.post(AUTHOR, retweeted_status={"tweet_id": 5}),
        world.post(AUTHOR, quote_tweet_id=5),
        world.post(AUTHOR, media=[{}], sensitive=True),
        world.post(AUTHOR, at_ms=wall_clock_ms() - domain.LATE_MS - 500),
    ]
    await rig.deliver(*tweets)
    flags = [entry[16] for entry in reversed(await rig.entries(AUTHOR))]
    assert flags[1:] == [REPLY, RETWEET, QUOTE, MEDIA | SENSITIVE, LATE]


async def test_a_list_is_never_left_longer_than_850(rig: Rig, world: World) -> None:
    world.follow(1, AUTHOR)
    await make_active(rig, 1)
    for _ in range(120):
        await rig.deliver(*(world.post(AUTHOR) for _ in range(20)))
        assert await rig.redis.llen(key_of(1)) <= 850
    newest = world.truth(1)[: await rig.redis.llen(key_of(1))]
    assert [domain.tweet_id_of(e) for e in await rig.entries(1)] == newest


async def test_many_followers_are_delivered_in_pieces(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.timeline.pushing.CHUNK", 7)
    for reader in range(1, 31):
        world.follow(reader, AUTHOR)
    await make_active(rig, *range(1, 31))
    tweets = [world.post(AUTHOR) for _ in range(3)]
    await rig.deliver(*tweets)
    for reader in range(1, 31):
        ids = [domain.tweet_id_of(e) for e in (await rig.entries(reader))[:-1]]
        assert ids == [t.tweet_id for t in reversed(tweets)]


async def test_lists_are_cut_to_the_length_in_force(rig: Rig, world: World) -> None:
    await make_active(rig, AUTHOR)
    rig.policy.change(list_length=100)
    await rig.deliver(*(world.post(AUTHOR) for _ in range(150)))
    assert await rig.redis.llen(key_of(AUTHOR)) == 100  # one entry more than may be
    rig.policy.change(list_length=200)
    await rig.deliver(*(world.post(AUTHOR) for _ in range(150)))
    assert await rig.redis.llen(key_of(AUTHOR)) == 250


async def test_pages_of_followers_are_delivered_small_authors_first(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.timeline.fanout.FIRST_PAGE", 3)
    most_asked = 5
    pages, asked = world.follower_pages, []

    async def at_most(after: Mapping[int, int], *, limit: int = 0) -> dict[int, Any]:
        asked.append(dict(after))
        return await pages(after, limit=min(limit or most_asked, most_asked))

    monkeypatch.setattr(world, "follower_pages", at_most)
    larger, large, small = AUTHOR, AUTHOR + 1, AUTHOR + 2
    for reader in range(1, 31):
        world.follow(reader, larger)
    for reader in range(1, 12):
        world.follow(reader, large)
    world.follow(1, small)
    await make_active(rig, *range(1, 31))
    tweets = [world.post(larger), world.post(large), world.post(small), world.post(larger)]
    await rig.deliver(*tweets)
    for reader in range(1, 31):
        ids = sorted(domain.tweet_id_of(e) for e in (await rig.entries(reader))[:-1])
        assert ids == sorted(world.truth(reader)), reader
    first, rest = asked[0], asked[1:]
    assert list(first) == [larger, large, small]
    assert [list(after) for after in rest] == [[large]] * 2 + [[larger]] * 6
    entry = (await rig.entries(4))[0]  # beyond the first page of both
    assert domain.tweet_id_of(entry) == tweets[3].tweet_id


async def test_a_pulled_author_is_written_to_the_ring_and_the_own_list_only(
    rig: Rig, world: World
) -> None:
    world.follow(1, AUTHOR)
    await make_active(rig, 1, AUTHOR)
    await rig.redis.rpush(key_of(AUTHOR, RING), COMPLETE)
    rig.policy.pull(AUTHOR)
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet)
    entry = domain.pack(tweet.tweet_id, AUTHOR, 0)
    assert await rig.entries(1) == [COMPLETE]
    assert await rig.entries(AUTHOR) == [entry, COMPLETE]
    assert await rig.entries(AUTHOR, RING) == [entry, COMPLETE]
    assert not world.calls["followers"]
    assert rig.metric("aviary_timeline_deliveries_total") == 1
    assert rig.metric("aviary_timeline_ring_deliveries_total") == 1
    assert rig.metric("aviary_timeline_pulled_tweets_total") == 1


@pytest.mark.parametrize("state", [State.ENTERING, State.LEAVING])
async def test_a_crossing_author_is_written_to_both(rig: Rig, world: World, state: State) -> None:
    world.follow(1, AUTHOR)
    await make_active(rig, 1)
    await rig.redis.rpush(key_of(AUTHOR, RING), COMPLETE)
    rig.policy.pull(AUTHOR, state=state)
    await rig.deliver(world.post(AUTHOR))
    both = [await rig.entries(1), await rig.entries(AUTHOR, RING)]
    assert both[0] == both[1] != [COMPLETE]
    assert rig.metric("aviary_timeline_pulled_tweets_total") == 0


async def test_a_ring_that_nobody_reads_is_not_made(rig: Rig, world: World) -> None:
    rig.policy.pull(AUTHOR)
    await rig.deliver(world.post(AUTHOR))
    assert await rig.entries(AUTHOR, RING) == []
    assert rig.metric("aviary_timeline_inactive_deliveries_total") == 1  # the author's own list


async def test_who_has_too_many_followers_is_registered(rig: Rig, world: World) -> None:
    rig.policy.change(pull_threshold=2)
    for reader in (1, 2, 3):
        world.follow(reader, AUTHOR)
    for reader in (1, 2):
        world.follow(reader, AUTHOR + 1)
    await make_active(rig, 1)
    await rig.redis.rpush(key_of(AUTHOR, RING), COMPLETE)
    tweet = world.post(AUTHOR)
    await rig.deliver(tweet, world.post(AUTHOR + 1))
    assert rig.policy.current.states == {AUTHOR: State.ENTERING}
    assert domain.pack(tweet.tweet_id, AUTHOR, 0) in await rig.entries(1)
    assert domain.pack(tweet.tweet_id, AUTHOR, 0) in await rig.entries(AUTHOR, RING)


async def test_a_worker_killed_before_its_ack_repeats_nothing(rig: Rig, world: World) -> None:
    world.follow(1, AUTHOR)
    await make_active(rig, 1)
    tweets = [world.post(AUTHOR) for _ in range(30)]
    for _ in range(3):
        await rig.deliver(*tweets)
    assert len(await rig.entries(1)) == 91
    assert await rig.walk(1, [7]) == world.truth(1)


async def test_other_events_pass_by(rig: Rig) -> None:
    await rig.fanout.handle([followed(1, 9), Event(kind="SomethingNew")])
    assert rig.metric("aviary_timeline_fanout_batch_tweets_count") == 0


async def test_a_broken_event_is_not_swallowed(rig: Rig) -> None:
    with pytest.raises(Exception, match="parsing"):
        await rig.fanout.handle([Event(kind="TweetCreated", payload=b"\xff")])


async def test_redis_away_is_raised_and_the_retry_delivers(
    redis_url: str, stores: Mesh, world: World
) -> None:
    world.follow(1, AUTHOR)
    async with open_rig(redis_url, world) as rig:
        await rig.walk(1)
        tweet = world.post(AUTHOR)
        await stores.stop("redis")
        try:
            with pytest.raises(RedisConnectionError):
                await rig.deliver(tweet)
            page = await rig.home(1)
            assert [t.tweet_id for t in page.tweets] == [tweet.tweet_id]
        finally:
            await stores.start("redis")
        await rig.deliver(tweet)
        await asyncio.sleep(0.6)  # Redis is left alone for a moment after it failed
        assert await rig.walk(1) == world.truth(1)


async def test_lists_of_unanswered_deliveries_are_dropped(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.follow(1, AUTHOR)
    await make_active(rig, 1, 2)
    await rig.redis.rpush(key_of(AUTHOR, RING), COMPLETE)
    rig.policy.pull(AUTHOR, state=State.ENTERING)
    execute, sent = rig.pipeline.execute, 0

    async def lose_the_first_answer(commands: bytes, count: int) -> Any:
        nonlocal sent
        sent += 1
        replies = await execute(commands, count)
        if sent == 1:
            raise RedisConnectionError("lost")
        return replies

    monkeypatch.setattr(rig.pipeline, "execute", lose_the_first_answer)
    tweet = world.post(AUTHOR)
    with pytest.raises(RedisConnectionError):
        await rig.deliver(tweet)
    await rig.deliver(tweet)
    assert await rig.redis.exists(key_of(1)) == 0
    assert await rig.redis.exists(key_of(2)) == 1
    assert await rig.redis.exists(key_of(AUTHOR, RING)) == 0
    assert rig.metric("aviary_timeline_dropped_lists_total", why="unanswered") == 3
    assert await rig.walk(1) == world.truth(1)


async def test_deliveries_that_land_late_are_done_again(
    rig: Rig, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their stamps no longer say when they landed, so the order proof could not hold."""
    monkeypatch.setattr("services.timeline.pushing.LANDING_SECONDS", -1)
    await make_active(rig, AUTHOR)
    tweet = world.post(AUTHOR)
    with pytest.raises(RedisError, match="late"):
        await rig.deliver(tweet)
    monkeypatch.undo()
    await rig.fanout.handle(created(tweet))
    assert await rig.entries(AUTHOR) == []
