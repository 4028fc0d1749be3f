"""Many shards rank as one index does (S000-71), and what a score is made of."""

import asyncio
import itertools
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from aviary.search.v1 import shard_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.graph import User
from clients.tail import Position
from services.chassis.snowflake import id_at, unix_ms_of
from services.search import domain_ranking as ranking
from services.search.authors import Authors
from services.search.domain_shards import Answer, Part, shard_of
from services.search.finding import Finder
from services.search.index.entries import entry_of
from services.search.index.shard_index import Progress, ShardIndex
from services.search.index.snapshot import Question
from services.search.query.understanding import understand
from services.search.shards.replica import Statistics
from services.search.shards.scatter import Scatter

NOW_MS = 1_800_000_000_000
WORDS = ["ash", "birch", "cedar", "#dogwood", "elm", "fir"]
QUERIES = ["ash", "ash OR birch", "cedar -elm", '"ash birch"', "#dogwood", "dogwood OR fir OR elm"]


class Local:
    """A replica that is asked in this process."""

    def __init__(self, shard: int, index: ShardIndex) -> None:
        self.address = f"shard {shard}"
        self._index = index

    async def search(self, question: Question) -> Answer:
        return self._index.search(question)

    async def statistics(self, terms: Sequence[str]) -> Statistics:
        pairs = [(field, value) for field, _, value in (term.partition(":") for term in terms)]
        counts = dict(zip(terms, self._index.frequencies(pairs), strict=True))
        return Statistics(counts, shard_pb2.Shard(tweet_count=self._index.tweet_count))


async def nobody(_name: str) -> User:
    raise AssertionError("no query here names an author")


def corpus(seed: int, count: int) -> list[Tweet]:
    rng = random.Random(seed)
    ids = sorted({id_at(NOW_MS - rng.randrange(1, 200) * 3_600_000) + n for n in range(count)})
    return [
        Tweet(
            tweet_id=tweet_id,
            user_id=rng.randrange(1, 9),
            status=" ".join(rng.choices(WORDS, k=rng.randrange(1, 6))),
            favorite_count=rng.choice([0, 0, 0, 3, 50]),
        )
        for tweet_id in ids
    ]


@contextmanager
def finder(tweets: Sequence[Tweet], count: int) -> Iterator[Finder]:
    """All of a corpus in so many shards."""
    with tempfile.TemporaryDirectory() as folder:
        indexes = [ShardIndex(Path(folder) / f"{n}") for n in range(count)]
        for number, index in enumerate(indexes):
            part = Part(number, count)
            mine = [entry_of(tweet) for tweet in tweets if part.holds(tweet.tweet_id)]
            index.apply([entry for entry in mine if entry], ())
            index.commit(Progress(Position(1, 1), complete=True))
        scatter = Scatter([[Local(n, i)] for n, i in enumerate(indexes)], CollectorRegistry())
        yield Finder(scatter, Authors(nobody))
        for index in indexes:
            index.close()


def top(finder_: Finder, query: str, limit: int = 200) -> list[int]:
    found = asyncio.run(finder_.find(understand(query).tree, limit, scored=True))
    assert found.unreachable == ()
    return list(found.ids)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 4]))
def test_shards_rank_as_one_index(seed: int, count: int) -> None:
    tweets = corpus(seed, 300)
    with finder(tweets, 1) as one, finder(tweets, count) as many:
        for query in QUERIES:
            assert top(many, query)[:20] == top(one, query)[:20], query
            assert top(many, query, 25) == top(one, query, 25), query


def test_shards_share_evenly() -> None:
    ids = [id_at(NOW_MS + n) + 5 for n in range(8_000)]
    counts = [sum(shard_of(i, 4) == shard for i in ids) for shard in range(4)]
    assert max(counts) < 1.1 * min(counts)


def test_what_a_score_is_made_of() -> None:
    base = ranking.score(2.0, 0, 0)
    assert base == 2.0
    assert ranking.score(2.0, 24 * 3_600_000, 0) == pytest.approx(1.0)
    assert ranking.score(2.0, 0, 9) == pytest.approx(4.0)
    assert ranking.score(0.0, 0, 0) == 1.0
    assert ranking.text_score(1.0, 5) > ranking.text_score(1.0, 40)
    rare, common = ranking.weight_of(1, 1_000), ranking.weight_of(900, 1_000)
    assert rare > common > 0


def test_a_rarer_alternative_counts_more() -> None:
    age = id_at(NOW_MS)
    statuses = ["common", "common", "common", "rare", "common"]
    tweets = [Tweet(tweet_id=age + n, status=text) for n, text in enumerate(statuses)]
    with finder(tweets, 2) as found:
        assert top(found, "common OR rare")[0] == age + 3


def test_reindexing_replaces_and_deleting_removes(tmp_path: Path) -> None:
    index = ShardIndex(tmp_path / "shard")
    tweet = Tweet(tweet_id=id_at(NOW_MS), status="once", favorite_count=3)
    question = Question(understand("once").tree, 10)
    for _ in range(3):
        entry = entry_of(tweet)
        assert entry is not None
        index.apply([entry], ())
        index.commit(Progress(Position(1, 1), complete=True))
    assert (index.tweet_count, len(index.search(question).ids)) == (1, 1)
    index.apply((), [tweet.tweet_id])
    assert len(index.search(question).ids) == 1, "what is not committed is not found"
    index.commit(Progress(Position(1, 2), complete=True))
    assert (index.tweet_count, index.search(question).ids) == (0, [])
    index.close()


def test_a_crash_keeps_index_and_place_together(tmp_path: Path) -> None:
    index = ShardIndex(tmp_path / "shard")
    counter = itertools.count(1)

    def put() -> None:
        entry = entry_of(Tweet(tweet_id=id_at(NOW_MS) + next(counter), status="word"))
        assert entry is not None
        index.apply([entry], ())

    put()
    index.commit(Progress(Position(7, 8), complete=False))
    put()
    index.close()  # without a commit, as in a crash
    again = ShardIndex(tmp_path / "shard")
    assert again.progress == Progress(Position(7, 8), complete=False)
    assert again.tweet_count == 1
    again.close()


def test_an_index_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    ShardIndex(folder).close()
    (folder / "meta.json").write_text("{")
    index = ShardIndex(folder)
    assert index.progress is None
    assert [path.name.split("-")[0] for path in tmp_path.glob("shard.*")] == ["shard.broken"]
    index.close()


def test_retweets_are_found_as_their_originals() -> None:
    retweet = Tweet(tweet_id=5, retweeted_status=Tweet(tweet_id=4))
    assert entry_of(retweet) is None
    assert unix_ms_of(id_at(NOW_MS)) == NOW_MS
