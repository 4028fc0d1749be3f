"""Which terms a text has."""

import pytest

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.search.domain_trends import Kind
from services.search.trends.terms import TermFinder, of_query

from .trend_rig import Rig, trend_rig


@pytest.mark.parametrize(
    ("status", "topics"),
    [
        ("Good morning", {"good", "morning", "good morning"}),
        ("the end of the world", {"world"}),
        ("to be or not to be", set()),
        ("one fish. Red sea", {"fish", "one fish", "red sea"}),
        ("don\u2019t panic", {"panic"}),
        ("3000 4000", {"3000 4000"}),
        ("\u5730\u9707", {"\u5730\u9707"}),
        ("y el mar de la plata", {"plata"}),
        ("", set()),
    ],
)
def test_phrases(status: str, topics: set[str]) -> None:
    found = TermFinder().of_tweet(Tweet(status=status))
    assert found[Kind.TOPIC].keys() == topics
    assert not found[Kind.HASHTAG]
    assert all(
        form.casefold().replace("\u2019", "'") == key for key, form in found[Kind.TOPIC].items()
    )


async def test_entities_are_no_phrases(dsn: str, redis_url: str) -> None:
    async with trend_rig(dsn, redis_url) as rig:
        tweet = tagged(rig)
        found = TermFinder().of_tweet(tweet)
    assert found == {
        Kind.HASHTAG: {"sunrise": "#Sunrise"},
        Kind.TOPIC: {"lovely": "lovely", "today": "today"},
    }


def tagged(rig: Rig) -> Tweet:
    tweet = rig.tweet(1, "lovely #Sunrise today @wren https://example.org/a", ["Sunrise"])
    tweet.entities.user_mentions.add(start=22, end=27, user_id=2, user_name="wren")
    tweet.entities.urls.add(start=28, end=49, url="https://example.org/a")
    return tweet


def test_queries() -> None:
    found = of_query("  World\tCup ")
    assert found is not None
    assert (found.term.key, found.form) == ("world cup", "World Cup")
    assert of_query("   ") is None
    assert of_query("x" * 61) is None
