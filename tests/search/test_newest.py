"""The newest matches are the same whichever way finds them, and all ways are taken."""

import random
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import id_at
from services.search.domain_ranking import score, scores, text_score
from services.search.index import newest, queries
from services.search.index.entries import entry_of, ids_of_keys, key_of
from services.search.index.estimates import Estimate
from services.search.index.newest import Seeker
from services.search.index.shard_index import ShardIndex
from services.search.index.snapshot import Question
from services.search.query.understanding import understand

from .test_near import indexed
from .test_ranking import NOW_MS

QUERIES: dict[str, Callable[[set[str]], bool]] = {
    "common": lambda words: "common" in words,
    "common half": lambda words: {"common", "half"} <= words,
    "common -half": lambda words: "common" in words and "half" not in words,
    "half OR rare": lambda words: bool({"half", "rare"} & words),
    "rare": lambda words: "rare" in words,
    "half rare": lambda words: {"half", "rare"} <= words,
    "nowhere": lambda words: False,
}


def tweets_of(seed: int, count: int = 600) -> list[Tweet]:
    """Tweets over minutes that are crowded, and hours that are not."""
    rng = random.Random(seed)
    made = NOW_MS - 40_000_000
    tweets = []
    for number in range(count):
        made += rng.choice([0, 0, 1, 40, 900, 60_000]) if number < count - 90 else 1
        words = [w for w, p in (("common", 0.9), ("half", 0.5), ("rare", 0.02)) if rng.random() < p]
        status = " ".join(["tweet", *words])
        tweets.append(Tweet(tweet_id=id_at(made) + number, status=status, user_id=1))
    return tweets


def pages(index: ShardIndex, query: str, size: int) -> list[Sequence[int]]:
    """All pages of a query."""
    tree, before = understand(query).tree, 0
    found: list[Sequence[int]] = []
    while True:
        page = index.search(Question(tree, size, before)).ids
        found.append(page)
        if len(page) < size:
            return found
        before = page[-1]


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each way found something; all are open to a small index."""
    monkeypatch.setattr(newest, "FEW", 30)
    monkeypatch.setattr(newest, "UNLIKELY", 10)
    monkeypatch.setattr(newest, "MANY", 200)
    taken: dict[str, int] = {"_every": 0, "_within": 0, "sorted": 0}
    for name in ("_every", "_within"):
        counted(monkeypatch, taken, name)
    plain = queries.newest

    def sorted_(*args: object) -> object:
        taken["sorted"] += 1
        return plain(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(newest, "newest", sorted_)
    return taken


def counted(monkeypatch: pytest.MonkeyPatch, taken: dict[str, int], name: str) -> None:
    plain = getattr(Seeker, name)

    def method(*args: object) -> object:
        found = plain(*args)
        taken[name] += found is not None
        return found

    monkeypatch.setattr(Seeker, name, method)


def test_every_way_agrees_with_brute_force(ways: dict[str, int]) -> None:
    @settings(max_examples=10, deadline=None, database=None)
    @given(st.integers(0, 100_000), st.sampled_from([5, 20, 200]))
    def agrees(seed: int, size: int) -> None:
        tweets = tweets_of(seed)
        with indexed(tweets) as index:
            for query, matches in QUERIES.items():
                right = [t.tweet_id for t in reversed(tweets) if matches(set(t.status.split()))]
                assert list(chain(*pages(index, query, size))) == right, query

    agrees()
    assert min(ways.values()) > 20, ways


def test_deleted_tweets_are_found_in_no_way(ways: dict[str, int]) -> None:
    tweets = tweets_of(1)
    gone = {tweet.tweet_id for tweet in tweets[::3]}
    with indexed(tweets) as index:
        index.apply((), gone)
        assert index.progress is not None
        index.commit(index.progress)
        for query, matches in QUERIES.items():
            left = [t for t in reversed(tweets) if t.tweet_id not in gone]
            right = [t.tweet_id for t in left if matches(set(t.status.split()))]
            assert list(chain(*pages(index, query, 20))) == right, query
    assert min(ways.values()) > 0, ways


def test_an_estimate_bounds_what_is_found() -> None:
    tweets = tweets_of(2)
    with indexed(tweets) as index:
        for query, matches in QUERIES.items():
            right = sum(matches(set(tweet.status.split())) for tweet in tweets)
            assert index.estimate(understand(query).tree).at_most >= right, query
        assert index.estimate(understand("rare").tree) == Estimate(at_most := sum(
            "rare" in tweet.status.split() for tweet in tweets), at_most)  # fmt: skip
        assert index.estimate(understand("from:1").tree).at_most >= len(tweets)


def test_the_key_of_an_id_leads_back() -> None:
    ids = [0, 1, id_at(NOW_MS), id_at(NOW_MS) + 1, (1 << 63) - 1]
    assert ids_of_keys([key_of(one) for one in ids]) == ids
    assert ids_of_keys([None]) == [0]
    assert all(0 <= key_of(one) < 1 << 63 for one in ids)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 50), st.integers(0, 300), st.integers(-5, 10**12), st.integers(0, 10**6)
        )
    )
)
def test_many_scores_are_those_of_each(hits: list[tuple[Any, ...]]) -> None:
    columns = [[hit[at] for hit in hits] for at in range(4)]
    assert scores(*columns) == [
        score(text_score(weight, length), age, reacted) for weight, length, age, reacted in hits
    ]


def test_a_new_index_finds_what_is_committed_later(tmp_path: Path) -> None:
    index = ShardIndex(tmp_path / "shard")
    assert index.search(Question(understand("tweet").tree, 5)).ids == []
    index.close()
    with indexed(tweets_of(3, 40)) as full:
        entry = entry_of(Tweet(tweet_id=id_at(NOW_MS) + 9, status="tweet"))
        assert entry is not None
        full.apply([entry], ())
        assert full.progress is not None
        full.commit(full.progress)
        assert full.search(Question(understand("tweet").tree, 1)).ids == [entry.tweet_id]
