"""User timelines from a read replica: a real one, that lags, hangs, dies and comes back."""

import asyncio
import dataclasses
import math
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.config import Settings
from services.chassis.stores import open_pool
from services.local.mesh import Mesh
from services.tweet.store import replica
from services.tweet.store.replica import MAX_LAG_MS, Freshness, Replica

from .harness import ALICE, Tweets, running, settings
from .standby import Standby, standby

SECONDS = 20.0


@pytest.fixture(scope="module")
async def made(stores: Mesh) -> AsyncIterator[Standby]:
    async with standby(stores) as started:
        yield started


@pytest.fixture
async def config(
    made: Standby, dsn: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[Settings]:
    """Settings with a database of the test's own, which the replica has too."""
    name = dsn.split("dbname=")[1].split()[0]
    base = settings(tmp_path / "home", dsn, redis_url)
    yield dataclasses.replace(base, tweet_replica_dsn=made.dsn(name))
    await made.resume_replay()


def _reads(tweets: Tweets, source: str) -> float:
    labels = {"source": source}
    return tweets.registry.get_sample_value("aviary_tweet_author_list_reads_total", labels) or 0


async def _ids(tweets: Tweets) -> list[int]:
    return [tweet.tweet_id for tweet in (await tweets.page(user_id=ALICE)).tweets]


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)


async def _until_replica_answers(tweets: Tweets) -> None:
    async def answers() -> bool:
        before = _reads(tweets, "replica")
        await _ids(tweets)
        return _reads(tweets, "replica") > before

    await _until(answers)


async def test_the_replica_answers_until_it_lags_and_again_when_it_has_caught_up(
    config: Settings, made: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "TIMEOUT", SECONDS)  # a slow machine is not what this is about
    async with running(config) as tweets:
        first = (await tweets.create(status="1")).tweet_id
        await _until_replica_answers(tweets)
        await _until(lambda: _same(tweets, [first]))
        await made.pause_replay()
        second = (await tweets.create(status="2")).tweet_id
        before = _reads(tweets, "primary")
        assert await _ids(tweets) == [first], "the replica does not know it yet"
        assert _reads(tweets, "primary") == before
        own, _ = await tweets.call(
            "ListUserTweets", pb.ListUserTweetsRequest(user_id=ALICE), user=ALICE
        )
        shown = pb.ListUserTweetsResponse.FromString(own).tweets
        assert [tweet.tweet_id for tweet in shown] == [second, first], "authors see their own"
        before = _reads(tweets, "primary")
        await _until(lambda: _same(tweets, [second, first]))
        assert _reads(tweets, "primary") > before
        await made.resume_replay()
        await _until_replica_answers(tweets)
        assert await _ids(tweets) == [second, first]


async def _same(tweets: Tweets, truth: list[int]) -> bool:
    return await _ids(tweets) == truth


async def test_a_walk_does_not_go_back_in_time(
    config: Settings, made: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies between a page of the primary and the replica's newest tweet is not skipped."""
    monkeypatch.setattr(replica, "TIMEOUT", SECONDS)
    monkeypatch.setattr(replica, "MAX_LAG_MS", 60_000)
    primary_only = dataclasses.replace(config, tweet_replica_dsn="")
    async with running(config) as tweets, running(primary_only) as other:
        old = (await tweets.create(status="old")).tweet_id
        await _until_replica_answers(tweets)
        await _until(lambda: _same(tweets, [old]))
        await made.pause_replay()
        middle, newest = [(await tweets.create(status=f"{n}")).tweet_id for n in range(2)]
        assert await _ids(tweets) == [old], "the replica answers, and lags"
        page = await other.page(user_id=ALICE, page_size=1)
        assert [tweet.tweet_id for tweet in page.tweets] == [newest]
        found: list[int] = []
        while page.next_page_token:
            page = await tweets.page(user_id=ALICE, page_size=1, page_token=page.next_page_token)
            found += [tweet.tweet_id for tweet in page.tweets]
        assert found == [middle, old]
        await made.resume_replay()

        async def replica_goes_on() -> bool:
            """The same walk, once the replica has what the primary had when it began."""
            first = await other.page(user_id=ALICE, page_size=1)
            await asyncio.sleep(2)
            before = _reads(tweets, "replica")
            second = await tweets.page(user_id=ALICE, page_size=1, page_token=first.next_page_token)
            assert [tweet.tweet_id for tweet in second.tweets] == [middle]
            return _reads(tweets, "replica") > before

        await _until(replica_goes_on)


async def test_reads_go_on_when_the_replica_dies_and_it_is_used_when_it_is_back(
    config: Settings, made: Standby
) -> None:
    async with running(config) as tweets:
        first = (await tweets.create(status="1")).tweet_id
        await _until_replica_answers(tweets)
        await _until(lambda: _same(tweets, [first]))
        await made.end(signal.SIGKILL)
        try:
            before = _reads(tweets, "primary")
            for _ in range(50):
                assert await _ids(tweets) == [first]
            assert _reads(tweets, "primary") == before + 50
        finally:
            await made.start()
        await _until_replica_answers(tweets)


async def test_a_replica_that_hangs_does_not_hold_every_read_up(
    config: Settings, made: Standby
) -> None:
    async with running(config) as tweets:
        first = (await tweets.create(status="1")).tweet_id
        await _until_replica_answers(tweets)
        await _until(lambda: _same(tweets, [first]))
        made.freeze()
        try:
            started = time.perf_counter()
            for _ in range(100):
                assert await _ids(tweets) == [first]
            assert time.perf_counter() - started < 15, "each would wait half a second: 50"
        finally:
            made.thaw()
        await _until_replica_answers(tweets)


async def test_a_replica_that_is_away_at_the_start_is_found_later(
    config: Settings, made: Standby
) -> None:
    await made.end()
    try:
        async with running(config) as tweets:
            await tweets.create(status="1")
            assert len(await _ids(tweets)) == 1
            await made.start()
            await _until_replica_answers(tweets)
    finally:
        await made.end()
        await made.start()


async def test_a_server_that_is_no_replica_is_not_used(dsn: str) -> None:
    """It may have been promoted, and then it has a history of its own."""
    registry = CollectorRegistry()
    async with open_pool(dsn, size=2, name="both") as pool:
        same = Replica(pool, pool, registry, lambda: 1)
        await same._look()
        assert not same.may_answer(0)
    lag = registry.get_sample_value("aviary_tweet_replica_lag_seconds")
    assert lag is not None
    assert math.isnan(lag)


def test_lag_is_what_may_be_missing() -> None:
    known = Freshness()
    assert known.lag_ms(0) is None
    known.primary_at(1_000, 500)
    assert known.lag_ms(1_000) is None
    known.replica_at(500)
    assert known.lag_ms(1_000_000) == 0, "an idle primary is no lag"
    assert known.complete_ms == 1_000
    known.primary_at(2_000, 500)
    known.primary_at(3_000, 700)
    assert known.complete_ms == 2_000
    assert known.lag_ms(3_000) == 1_000
    assert known.lag_ms(2_000 + MAX_LAG_MS + 1) == MAX_LAG_MS + 1, "it is cut off"
    known.replica_at(699)
    assert known.complete_ms == 2_000
    known.replica_at(700)
    assert (known.complete_ms, known.lag_ms(9_000)) == (3_000, 0)
    known.forget()
    assert (known.complete_ms, known.lag_ms(9_000)) == (0, None)


def test_a_promoted_primary_starts_anew() -> None:
    known = Freshness()
    known.primary_at(1_000, 900)
    known.replica_at(800)
    known.primary_at(2_000, 700)
    assert (known.complete_ms, known.lag_ms(2_000)) == (2_000, 0)


def test_a_replica_far_behind_is_far_behind_however_long_it_is_watched() -> None:
    known = Freshness()
    known.replica_at(100)
    known.primary_at(0, 100)
    for second in range(1, 120):
        known.primary_at(second * 1_000, 100 + second)
    lag = known.lag_ms(119_000)
    assert lag is None or lag > MAX_LAG_MS
