"""What trends cost is bounded: the users of one term, and the number of terms."""

from collections.abc import AsyncIterator

import pytest

from services.search.domain_trends import (
    HOUR_MS,
    Counted,
    Kind,
    Term,
    baseline,
    is_sampled,
    trending,
)
from services.search.trends.gate import Gate

from .trend_rig import Rig, trend_rig

NOW_MS = 490_000 * HOUR_MS + HOUR_MS // 4


@pytest.fixture
async def rig(dsn: str, redis_url: str) -> AsyncIterator[Rig]:
    async with trend_rig(dsn, redis_url) as made:
        yield made


async def test_a_term_of_many_users_is_sampled(rig: Rig) -> None:
    """Its set stays small, and its volume an estimate that is right within some per cent."""
    for start in range(0, 20_000, 1_000):
        await rig.say(range(start + 1, start + 1_001), "#abc", "abc")
        await rig.trends()
        rig.counter._levels_until = 0.0
    volume = (await rig.trends())["#abc"]
    assert volume != 20_000
    assert abs(volume - 20_000) < 0.2 * 20_000
    await rig.trends()
    assert await rig.redis.zcard("trend:1:abc") <= 500


async def test_distinct_terms_are_bounded(rig: Rig) -> None:
    rig.ranker = rig.new_ranker(max_terms=400)
    for number in range(1_000):
        await rig.say([number + 1], f"#t{number}", f"t{number}")
    await rig.say(range(1, 31), "#abc", "abc")
    assert await rig.trends() == {"#abc": 30}
    assert await rig.redis.zcard("trends:1:terms") == 300
    assert await rig.redis.dbsize() < 320


def test_a_full_store_admits_only_what_comes_often() -> None:
    gate = Gate(Kind.HASHTAG, max_terms=100)
    assert gate.admitted(["early"], NOW_MS)
    gate.counted_terms = 100
    often = [gate.admitted(["often"], NOW_MS) for _ in range(70)]
    assert often == [[]] * 63 + [["often"]] * 7
    assert gate.admitted(["rare", "often"], NOW_MS) == ["often"]
    assert not gate.admitted(["often"], NOW_MS + 2 * HOUR_MS)


def test_a_sample_of_a_level_is_part_of_the_one_before() -> None:
    users = range(1, 40_001)
    before = set(users)
    for level in range(1, 6):
        sample = {user for user in users if is_sampled(user, level)}
        assert sample < before
        assert len(sample) == pytest.approx(40_000 / 2**level, rel=0.1)
        before = sample


def test_the_baseline_is_of_the_same_time_of_day() -> None:
    hour = NOW_MS // HOUR_MS
    recorded = [h for d in range(1, 8) for h in (hour - 24 * d, hour - 24 * d - 1)]
    volumes = {h: 80 if h % 24 == hour % 24 else 40 for h in recorded}
    # A quarter of the window lies in this hour, three quarters in the one before.
    assert baseline(NOW_MS, volumes, recorded) == pytest.approx(0.25 * 80 + 0.75 * 40)
    half = {h: v for h, v in volumes.items() if h < hour - 24 * 4 - 1}
    assert baseline(NOW_MS, half, recorded) == pytest.approx(50 * 3 / 7)


def test_without_days_before_the_last_hours_are_the_baseline() -> None:
    hour = NOW_MS // HOUR_MS
    assert baseline(NOW_MS, {hour - 1: 30}, [hour - 1, hour - 2]) == 15.0
    assert baseline(NOW_MS, {}, []) == 0.0


def test_a_longer_phrase_stands_for_its_parts() -> None:
    def topic(key: str, volume: int) -> Counted:
        return Counted(Term(Kind.TOPIC, key), volume, 0.0)

    found = trending([topic("new york", 100), topic("new york marathon", 80), topic("york", 110)])
    assert [each.term.key for each in found] == ["new york marathon"]
    found = trending([topic("new york", 100), topic("new york marathon", 20)])
    assert [each.term.key for each in found] == ["new york"]
