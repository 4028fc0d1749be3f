"""Live streams that are cut and resumed: nothing lost, nothing twice, and gaps are told."""

import asyncio
import contextlib
import random

import pytest

from clients.tail import Position
from services.chassis.sse import position_of
from services.timeline.live import streams
from services.timeline.live.history import History, Record

from .live_rig import Log, Replica, open_log, open_replica, until
from .rig import Rig
from .world import World, created

ME, FRIENDS, STRANGER = 1, range(2, 10), 99


async def test_twenty_cuts_in_a_thousand_tweets(log: Log, replica: Replica) -> None:
    """Writers whose transactions commit out of order; each cut goes on at the other replica."""
    log.world.follow(ME, *FRIENDS)
    dice = random.Random(11)
    posted: list[int] = []

    async def writer(author: int) -> None:
        for _ in range(125):
            tweet = await log.post(author, delay=dice.choice((0, 0, 0.002, 0.03)))
            posted.append(tweet.tweet_id)
            if dice.random() < 0.2:
                await log.post(STRANGER)

    async with open_replica(log) as second:
        seen: list[int] = []
        cursor, cuts = "", 0
        client = await replica.open(ME).opened()
        writers = asyncio.gather(*(writer(author) for author in FRIENDS))
        while cuts < 20:
            await client.until_tweets(dice.randrange(1, 40))
            await client.cut()
            seen += client.tweet_ids
            assert not client.of("gap")
            cursor, cuts = client.last_event_id, cuts + 1
            client = (second, replica)[cuts % 2].open(ME, cursor)
        await writers
        await until(lambda: len(seen) + len(client.tweet_ids) >= 1000)
        last = await log.post(FRIENDS[0])
        await until(lambda: last.tweet_id in client.tweet_ids)
        await client.cut()
    seen += client.tweet_ids
    assert len(seen) == len(set(seen)) == 1001
    assert set(seen) == {*posted, last.tweet_id}
    assert seen[:-1] != posted, "nothing was out of order: no proof"


async def test_a_stream_that_was_told_nothing_resumes_from_where_it_was_opened(
    log: Log, replica: Replica
) -> None:
    log.world.follow(ME, FRIENDS[0])
    first = await replica.open(ME).opened()
    assert first.events == []
    await first.cut()
    tweet = await log.post(FRIENDS[0])
    again = await replica.open(ME, first.last_event_id).opened()
    await again.until_tweets(1)
    assert again.tweet_ids == [tweet.tweet_id]
    await again.cut()


async def test_a_replica_that_has_just_started_knows_the_last_minutes(
    log: Log, replica: Replica
) -> None:
    log.world.follow(ME, FRIENDS[0])
    client = await replica.open(ME).opened()
    tweets = [(await log.post(FRIENDS[0])).tweet_id for _ in range(5)]
    await client.until_tweets(5)
    await client.cut()
    async with open_replica(log) as fresh:
        again = await fresh.open(ME, client.events[1][2]).opened()
        await again.until_tweets(3)
        assert again.tweet_ids == tweets[2:]
        assert not again.of("gap")
        await again.cut()


async def test_an_idle_stream_is_kept_alive_and_its_cursor_goes_on(
    log: Log, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.05)
    client = await replica.open(ME).opened()
    opened_at = client.last_event_id
    await log.post(STRANGER)
    await until(lambda: client.last_event_id != opened_at)
    assert client.pieces[-1].event_stream.data.startswith(b": keep-alive\n")
    assert client.events == []
    await client.cut()


@pytest.mark.parametrize("cursor", ["1.1", "garbage", "9.9.9", "-1.5", "٣.1", str(1 << 70)])
async def test_a_cursor_that_leads_nowhere_is_a_gap(
    log: Log, replica: Replica, cursor: str
) -> None:
    log.world.follow(ME, FRIENDS[0])
    client = await replica.open(ME, cursor.encode("utf-8", "replace").decode("latin-1")).opened()
    await log.post(FRIENDS[0])
    await client.until_tweets(1)
    assert [event[0] for event in client.events] == ["gap", "tweet"]
    await client.cut()


async def test_a_cursor_of_the_future_is_a_gap(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "AHEAD_SECONDS", 0.05)
    client = await replica.open(ME, f"{1 << 59}.1").opened()
    assert len(client.of("gap")) == 1
    await client.cut()


async def test_the_page_token_of_a_gap_leads_to_what_was_missed(
    log: Log, replica: Replica, rig: Rig, world: World
) -> None:
    world.follow(ME, FRIENDS[0])
    for _ in range(30):
        await rig.fanout.handle(created(await log.post(FRIENDS[0])))
    client = await replica.open(ME, "0.1").opened()
    token = client.of("gap")[0]["page_token"]
    assert token
    found = [i async for page in rig.pages(ME, [20], page_token=token) for i in page]
    assert found == world.truth(ME)
    assert len(found) == 30
    await client.cut()


async def test_what_has_left_the_memory_is_a_gap(log: Log) -> None:
    log.world.follow(ME, FRIENDS[0])
    async with open_replica(log, history=History(max_records=32)) as replica:
        client = await replica.open(ME).opened()
        await log.post(FRIENDS[0])
        await client.until_tweets(1)
        await client.cut()
        for _ in range(60):
            await log.post(FRIENDS[0])
        await until(lambda: replica.metric("stream_history_records") >= 32)
        await until(lambda: not _history(replica).holds(_cursor(client.last_event_id)))
        again = await replica.open(ME, client.last_event_id).opened()
        assert again.events[0][0] == "gap"
        await again.cut()


async def test_a_log_that_was_replaced_is_a_gap_in_open_streams(dsn: str, world: World) -> None:
    world.follow(ME, FRIENDS[0])
    async with open_log(dsn, world) as log, contextlib.AsyncExitStack() as stack:
        async with log.serve():
            replica = await stack.enter_async_context(open_replica(log))
            client = await replica.open(ME).opened()
            feed = replica.live._feed
        await until(lambda: not feed._tail.current)
        feed._tail.position = Position(1 << 59, 1)
        async with log.serve():
            await until(lambda: bool(client.of("gap")))
            tweet = await log.post(FRIENDS[0])
            await client.until_tweets(1)
        assert client.tweet_ids == [tweet.tweet_id]
        assert [event[0] for event in client.events] == ["gap", "tweet"]
        await client.cut()


async def test_while_the_log_is_away_streams_wait(dsn: str, world: World) -> None:
    world.follow(ME, FRIENDS[0])
    async with open_log(dsn, world) as log, contextlib.AsyncExitStack() as stack:
        async with log.serve():
            replica = await stack.enter_async_context(open_replica(log))
            client = await replica.open(ME).opened()
        await until(lambda: not replica.live._feed._tail.current)
        missed = await log.post(FRIENDS[0])
        async with log.serve():
            await client.until_tweets(1)
        assert client.tweet_ids == [missed.tweet_id]
        assert not client.of("gap")
        await client.cut()


def test_history_is_bounded_in_number() -> None:
    history = History(max_records=100)
    history.restart(Position(5, 0))
    for number in range(1000):
        history.add([_record(number)], Position(10 + number, 1))
        assert len(history) <= 100 + 100 // 8
    assert not history.holds(Position(5, 0))
    assert history.holds(history.since)
    records, reached = history.after(history.since, {7})
    assert [record.xid for record in records] == list(range(history.since.xid + 1, 1010))
    assert reached == history.position


def test_history_is_bounded_in_time() -> None:
    now = 1000.0
    history = History(seconds=60, clock=lambda: now)
    history.restart(Position(0, 0))
    history.add([_record(n, deleted=1, time_ms=1_000_000) for n in range(50)], Position(60, 1))
    history.deleted.update(range(50))
    assert len(history) == 50
    now = 1061.0
    history.add([_record(60, time_ms=1_061_000)], Position(70, 1))
    assert len(history) == 1
    assert history.deleted == set()
    assert history.since == Position(59, 1)
    assert not history.holds(Position(58, 1))


def test_history_is_read_in_parts() -> None:
    history = History()
    history.restart(Position(0, 0))
    history.add([_record(n, user_id=n % 2) for n in range(5000)], Position(5010, 0))
    position, found, parts = Position(0, 0), list[int](), 0
    while position != history.position:
        records, position = history.after(position, {1})
        found += [record.tweet_id for record in records]
        parts += 1
    assert found == list(range(1, 5000, 2))
    assert parts > 2


def _record(number: int, *, deleted: int = 0, time_ms: int = 1 << 50, user_id: int = 7) -> Record:
    return Record(10 + number, 1, number, user_id, time_ms, deleted)


def _history(replica: Replica) -> History:
    return replica.live._sources.history


def _cursor(text: str) -> Position:
    found = position_of(text)
    assert found is not None
    return found
