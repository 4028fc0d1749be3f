"""What is near, found by the index: exact against brute force, in full pages, at a bounded cost."""

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import tantivy
from hypothesis import given, settings
from hypothesis import strategies as st

from aviary.tweet.v1.tweet_pb2 import Location, Tweet
from clients.tail import Position
from services.chassis.snowflake import id_at
from services.search.domain_places import EARTH_KM, Box, Near, Place, Point
from services.search.domain_shards import Answer, newest
from services.search.domain_tree import And, Node, Not, Or, Term
from services.search.index import sieve
from services.search.index.entries import entry_of
from services.search.index.estimates import cost_of
from services.search.index.shard_index import Progress, ShardIndex
from services.search.index.snapshot import Question
from services.search.query.understanding import expression_of, understand

from .test_ranking import NOW_MS, finder, top

CENTRES = [(13.4, 52.5), (180.0, 0.0), (-179.9, -17.0), (0.0, 90.0), (45.0, -89.9), (0.0, 0.0)]
WORDS = ["ash", "birch", "cedar"]


def tweets_around(rng: random.Random, count: int) -> list[Tweet]:
    """Tweets at and around places where it is hard, and some that say no place."""
    tweets = []
    for number in range(count):
        tweet = Tweet(tweet_id=id_at(NOW_MS) + 7 * number, status=" ".join(rng.choices(WORDS, k=2)))
        if rng.random() < 0.8:
            longitude, latitude = rng.choice(CENTRES)
            spread = rng.choice([0.0, 0.1, 1.0, 5.0])
            longitude = (longitude + rng.uniform(-spread, spread) + 540) % 360 - 180
            latitude = max(-90.0, min(90.0, latitude + rng.uniform(-spread, spread)))
            tweet.location.CopyFrom(Location(longitude=longitude, latitude=latitude))
        tweets.append(tweet)
    return tweets


def place(rng: random.Random) -> Place:
    longitude, latitude = rng.choice(CENTRES)
    if rng.random() < 0.6:
        return Near(longitude, latitude, rng.choice([0.5, 10.0, 100.0, 313.7, 500.0]))
    wide, high = rng.uniform(0, 8), rng.uniform(0, 8)
    west, east = ((longitude + side + 540) % 360 - 180 for side in (-wide, wide))
    return Box(west, max(-90.0, latitude - high), east, min(90.0, latitude + high))


def tree(rng: random.Random, depth: int = 0) -> Node:
    """A tree as a query may have it: at most four places, something that is asked for."""
    some: list[Node] = [place(rng), Term("text", rng.choice(WORDS))]
    shape = rng.randrange(4 if depth else 5)
    if shape == 0:
        return some[0]
    if shape == 1:
        return And((some[1], Not(some[0])))
    if shape == 2:
        return Or(tuple(some))
    if shape == 3:
        return And(tuple(some))
    inner = tree(rng, 1), tree(rng, 1)
    trees: list[Node] = [And(inner), Or(inner), And((inner[0], Not(inner[1])))]
    return rng.choice(trees)


def matches(node: Node, tweet: Tweet) -> bool:
    """Whether a tweet matches, straight from what a place means."""
    match node:
        case And(children):
            return all(matches(child, tweet) for child in children)
        case Or(children):
            return any(matches(child, tweet) for child in children)
        case Not(child):
            return not matches(child, tweet)
        case Term(_, value):
            return value in tweet.status.split()
        case Near():
            return tweet.HasField("location") and way_km(node, tweet.location) <= node.radius_km
        case Box(west, south, east, north):
            longitude, latitude = tweet.location.longitude, tweet.location.latitude
            eastwards, width = (longitude - west) % 360, (east - west) % 360
            across = eastwards <= width or abs(latitude) == 90
            return tweet.HasField("location") and south <= latitude <= north and across
    raise AssertionError(node)


def way_km(near: Near, location: Location) -> float:
    """The distance by another formula than the product's: the chord through the earth."""
    one, other = chord_end(near.longitude, near.latitude), chord_end(
        location.longitude, location.latitude
    )  # fmt: skip
    return 2 * EARTH_KM * math.asin(min(1.0, math.dist(one, other) / 2))


def chord_end(longitude: float, latitude: float) -> tuple[float, float, float]:
    east, north = math.radians(longitude), math.radians(latitude)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


@contextmanager
def indexed(tweets: Sequence[Tweet]) -> Iterator[ShardIndex]:
    with TemporaryDirectory() as folder:
        index = ShardIndex(Path(folder) / "shard")
        index.apply([entry for tweet in tweets if (entry := entry_of(tweet))], ())
        index.commit(Progress(Position(1, 1), complete=True))
        yield index
        index.close()


def ids(answer: Answer) -> list[int]:
    return list(answer.ids)


@pytest.fixture
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "FIRST", 4)


@pytest.mark.usefixtures("small_rounds")
def test_the_index_agrees_with_brute_force() -> None:
    found_some = 0

    @settings(max_examples=25, deadline=None, database=None)
    @given(st.integers(0, 100_000))
    def agrees(seed: int) -> None:
        nonlocal found_some
        rng = random.Random(seed)
        tweets = tweets_around(rng, 120)
        with indexed(tweets) as index:
            for _ in range(12):
                asked = tree(rng)
                right = [t.tweet_id for t in reversed(tweets) if matches(asked, t)]
                assert ids(index.search(Question(asked, 1_000))) == right, expression_of(asked)
                assert walked(index, asked, 5) == right, expression_of(asked)
                found_some += 0 < len(right) < len(tweets)

    agrees()
    assert found_some > 50


def walked(index: ShardIndex, asked: Node, size: int) -> list[int]:
    """All pages, each of which must be full but the last."""
    found: list[int] = []
    before = 0
    while True:
        page = index.search(Question(asked, size, before))
        assert page.searched_to == 0
        found += ids(page)
        if len(page.ids) < size:
            return found
        before = found[-1]


def at(number: int, longitude: float, latitude: float) -> Tweet:
    location = Location(longitude=longitude, latitude=latitude)
    return Tweet(tweet_id=id_at(NOW_MS) + number, status="ash", location=location)


def test_a_crowd_in_the_corner_of_the_box_costs_no_more_than_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sieve, "FIRST", 4)
    monkeypatch.setattr(sieve, "MAX_MEASURED", 64)
    near = Near(0.0, 0.0, 100.0)
    corner = [at(n, 0.85, 0.85) for n in range(10, 210)]
    assert near.box().holds(Point(0.85, 0.85))
    with indexed([at(1, 0.1, 0.1), *corner, at(300, 0.2, 0.2)]) as index:
        first = index.search(Question(near, 20))
        assert ids(first) == [id_at(NOW_MS) + 300]
        assert first.searched_to == corner[-63].tweet_id, "64 candidates, this one the last"
        pages = [first]
        while pages[-1].searched_to:
            pages.append(index.search(Question(near, 20, pages[-1].searched_to)))
        assert [tweet_id for page in pages for tweet_id in ids(page)] == [
            id_at(NOW_MS) + 300, id_at(NOW_MS) + 1,
        ]  # fmt: skip
        assert len(pages) == math.ceil(202 / 64)


@pytest.mark.parametrize("count", [1, 3])
def test_shards_that_end_early_skip_nothing(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(sieve, "FIRST", 4)
    monkeypatch.setattr(sieve, "MAX_MEASURED", 16)
    rng = random.Random(5)
    tweets = [at(n, *rng.choice([(0.85, 0.85), (0.85, 0.85), (0.3, 0.0)])) for n in range(300)]
    asked = Near(0.0, 0.0, 100.0)
    right = [t.tweet_id for t in reversed(tweets) if matches(asked, t)]
    short = 0
    with finder(tweets, count) as found:
        walked_ids: list[int] = []
        before = 0
        while True:
            part = asyncio.run(found.find(asked, 9, before=before))
            walked_ids += part.ids
            short += len(part.ids) < 9
            before = part.before
            if not before:
                break
    assert walked_ids == right
    assert short > 1, "some searches ended early"


def test_answers_of_shards_become_one() -> None:
    whole = Answer([9, 5, 2])
    early = Answer([8], searched_to=4)
    assert newest([whole, early], 10) == Answer([9, 8, 5], searched_to=4)
    assert newest([whole], 2) == Answer([9, 5])
    assert newest([], 2) == Answer([])


def test_shards_rank_places_as_one_index() -> None:
    rng = random.Random(11)
    tweets = tweets_around(rng, 300)
    for tweet in tweets:
        tweet.favorite_count = rng.choice([0, 0, 3, 50])
    with finder(tweets, 1) as one, finder(tweets, 3) as many:
        for query in ("near:13.4,52.5,100km", "ash OR birch near:0,90,500km", "cedar -near:0,0"):
            found = top(one, query)
            assert found
            assert top(many, query) == found, query
            tree_ = understand(query).tree
            assert sorted(found) == [t.tweet_id for t in tweets if matches(tree_, t)]
            if tree_ != Near(13.4, 52.5, 100.0):
                assert found != sorted(found, reverse=True), "words score here too"


def cost(index: ShardIndex, asked: Node) -> int:
    return cost_of(asked, index.estimate(asked))


def test_only_few_candidates_are_sifted_in_the_event_loop() -> None:
    with indexed([at(n, 0.0, 0.0) for n in range(300)]) as index:
        word, near = Term("text", "ash"), Near(0.0, 0.0)
        assert cost(index, word) == 300
        assert cost(index, And((word, near))) == 300 * 1_000
        assert cost(index, And((Term("text", "rare"), near))) == 0


def test_the_place_of_a_tweet_read_again_stays() -> None:
    tweet = at(1, 180.0, -0.0)
    entry = entry_of(tweet)
    assert entry is not None
    assert entry.point == (-180.0, 0.0)
    with indexed([tweet]) as index:
        index.apply([entry._replace(reactions=9)], ())
        index.commit(Progress(Position(1, 2), complete=True))
        for asked in (Near(-180.0, 0.0), Box(170.0, 0.0, 180.0, 0.0), Near(180.0, 0.0)):
            assert ids(index.search(Question(asked, 9))) == [tweet.tweet_id]


def test_an_index_of_an_older_schema_is_begun_anew(tmp_path: Path) -> None:
    """One that knows no places."""
    folder = tmp_path / "shard"
    folder.mkdir()
    older = tantivy.SchemaBuilder()
    older.add_text_field("text", tokenizer_name="whitespace", index_option="position")
    older.add_integer_field("tweet_id", indexed=True, fast=True)
    tantivy.Index(older.build(), path=str(folder))
    index = ShardIndex(folder)
    assert index.progress is None, "so all tweets are read"
    assert ids(index.search(Question(Near(0.0, 0.0), 9))) == []
    assert [path.name.split("-")[0] for path in tmp_path.glob("shard.*")] == ["shard.broken"]
    index.close()
