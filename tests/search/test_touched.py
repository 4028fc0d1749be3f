"""What was found is shared for longer while no tweet comes with its words."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.tail import Position
from services.chassis.snowflake import id_at
from services.search import finding
from services.search.authors import Authors
from services.search.finding import Finder
from services.search.index.entries import Entry, entry_of
from services.search.index.shard_index import Progress, ShardIndex
from services.search.index.touched import Touched
from services.search.query.understanding import understand
from services.search.shards.scatter import Scatter

from .test_ranking import NOW_MS, Local, nobody


def entry(number: int, status: str) -> Entry:
    made = entry_of(Tweet(tweet_id=id_at(NOW_MS) + number, status=status))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("query", "status", "unchanged"),
    [
        ("ash birch", "ash cedar", True),
        ("ash birch", "birch ash", False),
        ("ash OR birch", "cedar", False),  # nothing that every match holds
        ("ash -birch", "birch", True),
        ("ash -birch", "ash birch", False),
        ('"ash birch"', "ash", True),
        ("#ash", "#ash", False),
        ("#ash", "cedar", True),
        ("ash from:wren", "cedar", True),
        ("ash (birch OR cedar)", "birch", True),
    ],
)
def test_what_comes_with_other_words_changes_nothing(
    query: str, status: str, unchanged: bool
) -> None:
    touched = Touched()
    touched.put(entry(1, query))
    touched.committed()
    mark = touched.mark
    touched.put(entry(2, status))
    tree = understand(query).tree
    assert touched.unchanged(tree, mark) == ("OR b" not in query or "(" in query)
    touched.committed()
    assert touched.unchanged(tree, mark) is unchanged


def test_what_was_forgotten_counts_as_changed() -> None:
    touched = Touched(max_terms=10)
    tree = understand("ash").tree
    for number in range(20):
        touched.put(entry(number, f"word{number}"))
        touched.committed()
    assert not touched.unchanged(tree, 1)
    assert touched.unchanged(tree, touched.mark)


class Clock:
    """A clock that is put forward by hand."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return NOW_MS / 1000


def test_a_search_is_made_again_only_for_new_tweets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(finding, "time", clock)
    index = ShardIndex(tmp_path / "shard")

    def put(number: int, status: str) -> int:
        index.apply([entry(number, status)], ())
        index.commit(Progress(Position(1, number), complete=True))
        return entry(number, status).tweet_id

    finder = Finder(
        Scatter([[Local(0, index)]], CollectorRegistry()), Authors(nobody), index.touched
    )

    def found() -> tuple[int, ...]:
        return asyncio.run(finder.find(understand("ash birch").tree, 10)).ids

    first = put(1, "ash birch")
    assert found() == (first,)
    second = put(2, "birch ash")
    assert found() == (first,), "shared for a second, whatever comes"
    clock.now += 1.1
    assert found() == (second, first)
    third = put(3, "ash cedar")
    clock.now += 1.1
    index.apply((), [first])  # seen by no word: only the search itself would tell
    index.commit(Progress(Position(1, 4), complete=True))
    assert found() == (second, first), f"{third} holds other words"
    clock.now += finding.UNCHANGED_SECONDS
    assert found() == (second,)
    index.close()
