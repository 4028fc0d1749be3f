"""How live streams end: by quota, by drain, by age, and because nobody reads them."""

import asyncio
from typing import Any

import grpc
import pytest

from clients.errors import PeerError
from services.chassis.errors import QuotaExceededError, ServiceError, UnauthenticatedError
from services.timeline.live import hub, outlet, streams

from .live_rig import Log, Replica, until

ME, FRIEND, OTHER = 1, 2, 4


async def test_a_user_has_only_so_many_streams(log: Log, replica: Replica) -> None:
    clients = [await replica.open(ME).opened() for _ in range(hub.MAX_STREAMS)]
    with pytest.raises(QuotaExceededError) as refused:
        await replica.open(ME).opened()
    assert refused.value.metadata == {"quota": "open streams", "limit": "5"}
    other = await replica.open(OTHER).opened()
    await clients.pop().cut()
    clients += [other, await replica.open(ME).opened()]
    for client in clients:
        await client.cut()
    live: Any = replica.live
    assert not live._hub._counts
    assert not live._hub._by_author
    assert not live._hub._users


async def test_a_caller_is_needed(replica: Replica) -> None:
    with pytest.raises(UnauthenticatedError):
        await replica.open(0).opened()


async def test_draining_ends_every_stream_and_refuses_new_ones(log: Log, replica: Replica) -> None:
    clients = [await replica.open(viewer).opened() for viewer in (ME, ME, OTHER)]
    replica.draining.set()
    async with asyncio.timeout(1.0):
        await asyncio.gather(*(client.task for client in clients))
    for client in clients:
        ((kind, status, _),) = client.events
        assert (kind, status["code"]) == ("error", 14)
        assert status["message"] == "this replica is draining, reconnect"
        assert status["details"][0]["reason"] == "UNAVAILABLE"
    with pytest.raises(ServiceError, match="draining"):
        await replica.open(ME).opened()
    assert replica.metric("closed_streams_total", why="draining") == 3


async def test_a_reader_that_stalls_is_ended_and_the_others_go_on(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "MAX_WAITING", 20)
    monkeypatch.setattr(outlet, "STALL_SECONDS", 0.1)
    log.world.follow(ME, FRIEND)
    stalled, good = await replica.open(ME).opened(), await replica.open(ME).opened()
    stalled.paused.clear()
    tweets = [await log.post(FRIEND) for _ in range(60)]
    await good.until_tweets(60)
    assert good.tweet_ids == [tweet.tweet_id for tweet in tweets]
    live: Any = replica.live
    await until(lambda: any(each.ending for each in live._hub._outlets))
    stalled.paused.set()
    await asyncio.wait_for(stalled.task, 10)
    kind, status, _ = stalled.events[-1]
    assert (kind, status["code"]) == ("error", 8)
    info = status["details"][0]
    assert info["reason"] == "QUOTA_EXCEEDED"
    assert info["metadata"]["quota"] == "seconds without reading"
    assert replica.metric("closed_streams_total", why="slow") == 1
    assert len(stalled.tweet_ids) < 60
    resumed = await replica.open(ME, stalled.last_event_id).opened()
    await resumed.until_tweets(60 - len(stalled.tweet_ids))
    assert stalled.tweet_ids + resumed.tweet_ids == good.tweet_ids
    await good.cut()
    await resumed.cut()


async def test_what_waits_for_a_slow_reader_is_bounded_and_nothing_is_lost(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "MAX_WAITING", 5)
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    live: Any = replica.live
    (queue,) = live._hub._outlets
    client.paused.clear()
    tweets = [await log.post(FRIEND) for _ in range(40)]
    await until(lambda: queue.overrun)
    assert len(queue._waiting) <= 5
    client.paused.set()
    await client.until_tweets(40)
    assert client.tweet_ids == [tweet.tweet_id for tweet in tweets]
    assert not queue.overrun
    tweets.append(await log.post(FRIEND))
    await client.until_tweets(41)
    assert client.tweet_ids[-1] == tweets[-1].tweet_id
    await client.cut()


async def test_a_reader_that_never_reads_again_is_cut_off(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(outlet, "CUT_SECONDS", 0.05)
    log.world.follow(ME, FRIEND)
    stalled = await replica.open(ME).opened()
    stalled.paused.clear()
    await log.post(FRIEND)
    await until(lambda: stalled.task.done())
    await until(lambda: replica.metric("open_streams") == 0)
    assert replica.metric("closed_streams_total", why="slow") == 1


async def test_a_stream_grows_no_older_than_a_token(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LIFE_SECONDS", 0.1)
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.05)
    client = await replica.open(ME).opened()
    await asyncio.wait_for(client.task, 10)
    assert client.events[-1][0] == "error"
    assert "reconnect" in client.events[-1][1]["message"]
    assert replica.metric("closed_streams_total", why="expired") == 1


async def test_what_fails_in_the_middle_is_the_last_event(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.world.follow(ME, FRIEND)
    client = await replica.open(ME).opened()
    before = client.last_event_id
    monkeypatch.setattr(log.world, "batch_get_raw", _away)
    lost = await log.post(FRIEND)
    await asyncio.wait_for(client.task, 10)
    kind, status, _ = client.events[-1]
    assert (kind, status["code"], status["details"][0]["reason"]) == ("error", 14, "UNAVAILABLE")
    assert client.last_event_id == before
    monkeypatch.undo()
    again = await replica.open(ME, client.last_event_id).opened()
    await again.until_tweets(1)
    assert again.tweet_ids == [lost.tweet_id]
    await again.cut()


async def _away(_ids: Any) -> dict[int, bytes]:
    raise PeerError("tweet", grpc.StatusCode.UNAVAILABLE, "away", None)
