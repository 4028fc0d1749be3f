"""Trends: different users against what is usual (S001-03, S003-11)."""

from collections.abc import AsyncIterator

import pytest

from services.search.domain_trends import HOUR_MS, MIN_USERS, WINDOW_MS, Kind, Term
from services.search.trends.searches import SearchCounter

from .trend_rig import Rig, trend_rig


@pytest.fixture
async def rig(dsn: str, redis_url: str) -> AsyncIterator[Rig]:
    async with trend_rig(dsn, redis_url) as made:
        yield made


async def test_many_users_make_a_trend_and_one_user_none(rig: Rig) -> None:
    await rig.say(range(1, 201), "about #abc today", "abc")
    await rig.say([1] * 1_000, "#flood", "flood")
    assert await rig.trends() == {"#abc": 200}


async def test_counting_again_changes_nothing(rig: Rig) -> None:
    events = await rig.say(range(1, 31), "#abc", "abc")
    await rig.counter.handle(events)
    await rig.new_counter().handle(events)
    assert await rig.trends() == {"#abc": 30}


async def test_too_few_users_are_no_trend(rig: Rig) -> None:
    least = MIN_USERS[Kind.HASHTAG]
    await rig.say(range(1, least), "#few", "few")
    await rig.say(range(1, least + 1), "#enough", "enough")
    assert await rig.trends() == {"#enough": least}


async def test_case_does_not_matter(rig: Rig) -> None:
    await rig.say(range(1, 11), "#ABC", "ABC")
    await rig.say(range(11, 21), "#abc", "abc")
    assert await rig.trends() == {"#abc": 20}


async def test_what_is_said_no_more_ends(rig: Rig) -> None:
    await rig.say(range(1, 21), "#abc", "abc")
    rig.now_ms += WINDOW_MS - 1
    assert await rig.trends() == {"#abc": 20}
    rig.now_ms += 1
    assert await rig.trends() == {}
    assert await rig.redis.keys("trend:*") == []


async def test_retweets_imports_and_protected_accounts_do_not_count(rig: Rig) -> None:
    """S000-09: a protected author's tweet is in no trend."""
    retweet = rig.tweet(1, "#abc", ["abc"])
    retweet.retweeted_status.user_id = 2
    old = [rig.tweet(u, "#abc", ["abc"], age_ms=WINDOW_MS + 1) for u in range(1, 50)]
    await rig.post([retweet, *old])
    rig.people.protected = set(range(100, 200))
    rig.people.missing = set(range(200, 300))
    await rig.say(range(100, 300), "#abc", "abc")
    assert await rig.trends() == {}
    await rig.say(range(300, 310), "#abc", "abc")
    assert await rig.trends() == {"#abc": 10}


async def test_deleted_tweets_are_taken_back(rig: Rig) -> None:
    tweets = [rig.tweet(u, "#abc good morning everyone", ["abc"]) for u in range(1, 21)]
    await rig.post(tweets)
    # A phrase is counted from its third use.
    assert await rig.trends(Kind.TOPIC) == {"good morning everyone": 18}
    rig.now_ms += 1_000
    await rig.say([1], "#abc once more", "abc")
    await rig.delete(tweets[:11])
    assert await rig.trends() == {"#abc": 10}  # user 1 says it still
    assert await rig.trends(Kind.TOPIC) == {"good morning everyone": 9}


async def test_what_is_usual_at_this_hour_is_no_trend(rig: Rig) -> None:
    hour = rig.now_ms // HOUR_MS
    usual = {Term(Kind.HASHTAG, "morning"): 100}
    for day in range(1, 8):
        await rig.history.record(hour - 24 * day, usual)
        await rig.history.record(hour - 24 * day - 1, usual)
    await rig.say(range(1, 111), "#morning", "morning")
    await rig.say(range(1, 41), "#news", "news")
    ranking = await rig.first("#news")
    assert [trend.name for trend in ranking.trends] == ["#news"]
    assert ranking.trends[0].score == pytest.approx(40 / 10**0.5, abs=0.001)


async def test_an_hour_is_recorded_when_it_is_over(rig: Rig) -> None:
    await rig.say(range(1, 21), "#abc", "abc")
    await rig.trends()
    assert await rig.history.recorded_hours() == set()
    hour = rig.now_ms // HOUR_MS
    rig.now_ms = (hour + 1) * HOUR_MS + 2_000
    await rig.trends()
    await rig.trends()
    assert await rig.history.recorded_hours() == {hour}
    abc = Term(Kind.HASHTAG, "abc")
    assert await rig.history.volumes([abc]) == {abc: {hour: 20}}


async def test_since_when_outlives_a_restart(rig: Rig) -> None:
    await rig.say(range(1, 21), "#abc", "abc")
    began = (await rig.first("#abc")).as_of
    rig.now_ms += 60_000
    rig.ranker = rig.new_ranker()
    ranking = await rig.first("#abc")
    assert ranking.trends[0].start_time == began
    assert ranking.as_of != began


async def test_losing_redis_costs_an_hour_at_most(rig: Rig) -> None:
    await rig.say(range(1, 21), "#abc", "abc")
    assert await rig.trends() == {"#abc": 20}
    await rig.redis.flushall()
    assert await rig.trends() == {}
    await rig.say(range(1, 11), "#abc", "abc")
    assert await rig.trends() == {"#abc": 10}


async def test_operators_hide_and_show(rig: Rig) -> None:
    await rig.say(range(1, 21), "#abc", "abc")
    await rig.history.hide([Term(Kind.HASHTAG, "abc")], True)
    assert await rig.trends() == {}
    await rig.redis.flushall()  # what operators said is not in Redis
    await rig.say(range(1, 21), "#abc", "abc")
    assert await rig.trends() == {}
    await rig.history.hide([Term(Kind.HASHTAG, "abc")], False)
    assert await rig.trends() == {"#abc": 20}


async def test_searches_of_many_users_trend(rig: Rig) -> None:
    """S003-11: repeating a query from 200 users makes it a SEARCH trend."""
    searches = SearchCounter(rig.store, lambda: rig.now_ms)
    for user_id in range(1, 201):
        searches.note(user_id, "  World   Cup ")
        searches.note(7, "only me")
        searches.note(0, "nobody known")
    await searches.flush()
    assert await rig.trends(Kind.SEARCH) == {"World Cup": 200}


async def test_only_one_process_ranks(rig: Rig) -> None:
    assert await rig.store.hold_lease("first", 5)
    assert not await rig.store.hold_lease("second", 5)
    assert await rig.store.hold_lease("first", 5)
