"""The terms of a text that can trend: its hashtags and its phrases of one to three words."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from whoosh.lang.stopwords import stoplists

from aviary.tweet.v1.tweet_pb2 import Tweet

from ..domain_trends import Kind, Term
from .store import MAX_KEY

MAX_WORDS = 3
MAX_TERMS_OF_ONE = 60
MIN_LETTERS = 4
"""A shorter word is a phrase only together with others."""
MAX_QUERY = 60
ENOUGH = 2
"""So many stop words of a language make it likely."""
CONTRACTIONS = frozenset(("t", "re", "ve", "ll", "d", "m"))
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_BREAK = re.compile(r"[.!?;:,()\[\]{}\"\u201c\u201d\u2026\n|/]")
_SPACE = re.compile(r"\s+")


class Found(NamedTuple):
    """A term, and how it is written in the text."""

    term: Term
    form: str


class Word(NamedTuple):
    """A word of a text and its range; behind a break no phrase goes on."""

    key: str
    start: int
    end: int
    follows: bool


class StopWords:
    """Words that carry no topic: those of English, and of the language a text seems to be in.

    Not of all languages at once: what is a stop word in one (Spanish "sea") is a topic in another.
    """

    def __init__(self) -> None:
        self._english = frozenset(stoplists["en"])
        self._others = [frozenset(words) for name, words in stoplists.items() if name != "en"]

    def of(self, words: Collection[str]) -> frozenset[str]:
        """Those of a text's words that no phrase begins or ends with."""
        said = frozenset(words)
        likely = max((said & other for other in self._others), key=len)
        found = said & self._english
        if len(likely) >= ENOUGH and len(likely) > len(found):
            found |= likely
        return found | {word for word in said if _contracted(word)}


class TermFinder:
    """Finds terms; a phrase neither begins nor ends with a stop word."""

    def __init__(self) -> None:
        self._stop_words = StopWords()

    def of_tweet(self, tweet: Tweet) -> list[Found]:
        """Every term of a tweet, each once."""
        entities = tweet.entities
        tags = [tag.tag for tag in entities.hashtags]
        ranges = [(tag.start, tag.end) for tag in entities.hashtags]
        ranges += [(url.start, url.end) for url in entities.urls]
        ranges += [(mention.start, mention.end) for mention in entities.user_mentions]
        found = {term: f"#{tag}" for tag in tags if (term := _term(Kind.HASHTAG, tag.casefold()))}
        for key, form in self._phrases(tweet.status, ranges):
            if term := _term(Kind.TOPIC, key):
                found.setdefault(term, form)
        return [Found(*pair) for pair in list(found.items())[:MAX_TERMS_OF_ONE]]

    def _phrases(self, text: str, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[str, str]]:
        words = list(_words(text, ranges))
        stopped = self._stop_words.of([word.key for word in words])
        for first, begin in enumerate(words):
            if begin.key in stopped:
                continue
            for last in range(first, min(first + MAX_WORDS, len(words))):
                end = words[last]
                if last > first and not end.follows:
                    break
                if end.key in stopped or (last == first and not _stands_alone(begin.key)):
                    continue
                key = " ".join(word.key for word in words[first : last + 1])
                yield key, text[begin.start : end.end]


def of_query(query: str) -> Found | None:
    """What somebody searches for, as a term; None for what is too long to be a common interest."""
    text = _SPACE.sub(" ", query).strip()
    term = _term(Kind.SEARCH, text.casefold())
    return Found(term, text) if term and len(text) <= MAX_QUERY else None


def _words(text: str, ranges: Iterable[tuple[int, int]]) -> Iterator[Word]:
    """The words of a text outside of its entities."""
    blanked = text
    for start, end in ranges:
        blanked = blanked[:start] + "\n" * (end - start) + blanked[end:]
    before = 0
    for match in _WORD.finditer(blanked):
        start, end = match.span()
        follows = not _BREAK.search(blanked, before, start)
        yield Word(match[0].casefold().replace("\u2019", "'"), start, end, follows)
        before = end


def _contracted(word: str) -> bool:
    """Whether it is like "don't" or "we've"."""
    return word.rpartition("'")[1] != "" and word.rpartition("'")[2] in CONTRACTIONS


def _stands_alone(word: str) -> bool:
    return len(word) >= (MIN_LETTERS if word.isascii() else 2) and not word.isdecimal()


def _term(kind: Kind, key: str) -> Term | None:
    return Term(kind, key) if key and len(key.encode()) <= MAX_KEY else None
