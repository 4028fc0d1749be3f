"""How good search is: precision on a judged set, and how many typos are fixed. Both are printed."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pydoc_data.topics import topics
from string import ascii_lowercase

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import id_at
from services.search.analysis import analyze, terms_of
from services.search.query.understanding import corrected, understand

from .judged import ABOUT, QUERIES
from .test_ranking import NOW_MS, finder

TYPOS = 600


def test_precision_on_the_judged_set() -> None:
    statuses = [(topic, text) for topic, texts in ABOUT.items() for text in texts]
    tweets = [
        Tweet(tweet_id=id_at(NOW_MS + n * 1_000), status=text)
        for n, (_, text) in enumerate(statuses)
    ]
    by_id = {tweet.tweet_id: about for tweet, about in zip(tweets, statuses, strict=True)}
    found_right = found_all = there = 0
    with finder(tweets, 2) as finder_:
        for judged in QUERIES:
            understood = asyncio.run(finder_.correct(understand(judged.query)))
            ids = asyncio.run(finder_.find(understood.tree, 20, scored=True)).ids
            found = [by_id[tweet_id] for tweet_id in ids]
            right = [text for topic, text in found if topic == judged.topic]
            wanted = {text for _, text in statuses if set(judged.words) <= set(words(text))}
            assert found, judged
            found_right += len(set(right) & wanted)
            found_all += len(found)
            there += len(wanted)
    precision, recall = found_right / found_all, found_right / there
    print(f"judged set: precision {precision:.3f}, recall {recall:.3f} of {len(QUERIES)} queries")
    assert precision >= 0.95
    assert recall >= 0.95


def words(text: str) -> list[str]:
    return [term for token in analyze(text) for term in terms_of(token)]


def vocabulary() -> Counter[str]:
    """Words of real English with real frequencies: those of Python's own help."""
    return Counter(re.findall(r"\b[a-z]{4,}\b", " ".join(topics.values()).lower()))


def typo(word: str, rng: random.Random) -> tuple[str, str]:
    kind = rng.choice(["insertion", "deletion", "substitution", "transposition", "doubling"])
    at = rng.randrange(1, len(word) - 1)  # the first letter is hardly ever the wrong one
    letter = rng.choice(ascii_lowercase)
    wrong = {
        "insertion": word[:at] + letter + word[at:],
        "deletion": word[:at] + word[at + 1 :],
        "substitution": word[:at] + letter + word[at + 1 :],
        "transposition": word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        "doubling": word[:at] + word[at] + word[at:],
    }[kind]
    return kind, wrong


def test_typos_are_fixed_and_rare_words_left_alone() -> None:
    """At least 90 % of single-edit typos, at most 1 % of rare words changed."""
    known = vocabulary()
    assert len(known) > 2_000

    async def frequencies(asked: Sequence[str]) -> Mapping[str, int]:
        return {word: known[word] for word in asked if word in known}

    def fixed(query: str) -> str:
        return asyncio.run(corrected(understand(query), frequencies)).corrected_query or query

    rng = random.Random(4)
    usual = [word for word, count in known.items() if count >= 3 and len(word) >= 5]
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    while sum(tried.values()) < TYPOS:
        word = rng.choice(usual)
        kind, wrong = typo(word, rng)
        if wrong in known or wrong == word:
            continue  # what exists is not a typo
        tried[kind] += 1
        right[kind] += fixed(wrong) == word
    rate = sum(right.values()) / TYPOS
    rare = [word for word, count in known.items() if count == 1]
    changed = sum(fixed(word) != word for word in rare) / len(rare)
    shares = ", ".join(f"{kind} {right[kind] / tried[kind]:.2f}" for kind in sorted(tried))
    print(f"typos: {rate:.3f} fixed ({shares}); of {len(rare)} rare words {changed:.3f} changed")
    assert rate >= 0.9
    assert changed <= 0.01
