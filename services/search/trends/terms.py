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
        self._languages: dict[str, list[int]] = {}
        """Those of the others that a word is a stop word of."""
        for number, words in enumerate(self._others):
            for word in words:
                self._languages.setdefault(word, []).append(number)

    def of(self, words: Collection[str]) -> frozenset[str]:
        """Those of a text's words that no phrase begins or ends with."""
        said = frozenset(words)
        found = said & self._english
        likely, count = self._likely(said)
        if count >= ENOUGH and count > len(found):
            found |= said & self._others[likely]
        return found | {word for word in said if "'" in word and _contracted(word)}

    def _likely(self, said: Collection[str]) -> tuple[int, int]:
        """The language of most stop words, and how many these are."""
        counts = [0] * len(self._others)
        for word in said:
            for language in self._languages.get(word, ()):
                counts[language] += 1
        most = max(counts)
        return counts.index(most), most


class TermFinder:
    """Finds terms; a phrase neither begins nor ends with a stop word."""

    def __init__(self) -> None:
        self._stop_words = StopWords()

    def of_tweet(self, tweet: Tweet) -> dict[Kind, dict[str, str]]:
        """Every term of a tweet: how each is written in it, by its key."""
        entities = tweet.entities
        tags = [tag.tag for tag in entities.hashtags]
        ranges = [(tag.start, tag.end) for tag in entities.hashtags]
        ranges += [(url.start, url.end) for url in entities.urls]
        ranges += [(mention.start, mention.end) for mention in entities.user_mentions]
        hashtags = _fitting((tag.casefold(), f"#{tag}") for tag in tags)
        topics = _fitting(self._phrases(tweet.status, ranges), MAX_TERMS_OF_ONE - len(hashtags))
        return {Kind.HASHTAG: hashtags, Kind.TOPIC: topics}

    def _phrases(self, text: str, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[str, str]]:
        words = list(_words(text, ranges))
        stopped = self._stop_words.of([word.key for word in words])
        for first, begin in enumerate(words):
            key, start = begin.key, begin.start
            if key in stopped:
                continue
            if _stands_alone(key):
                yield key, text[start : begin.end]
            for word, _, end, follows in words[first + 1 : first + MAX_WORDS]:
                if not follows:
                    break
                key = f"{key} {word}"
                if word not in stopped:
                    yield key, text[start:end]


def of_query(query: str) -> Found | None:
    """What somebody searches for, as a term; None for what is too long to be a common interest."""
    text = _SPACE.sub(" ", query).strip()
    key = text.casefold()
    return Found(Term(Kind.SEARCH, key), text) if _fits(key) and len(text) <= MAX_QUERY else None


def _words(text: str, ranges: Iterable[tuple[int, int]]) -> Iterator[Word]:
    """The words of a text outside of its entities."""
    blanked = text
    for start, end in ranges:
        blanked = blanked[:start] + "\n" * (end - start) + blanked[end:]
    before = 0
    for match in _WORD.finditer(blanked):
        start, end = match.span()
        between = blanked[before:start]
        follows = between == " " or not _BREAK.search(between)
        yield Word(match[0].casefold().replace("\u2019", "'"), start, end, follows)
        before = end


def _contracted(word: str) -> bool:
    """Whether it is like "don't" or "we've"."""
    return word.rpartition("'")[1] != "" and word.rpartition("'")[2] in CONTRACTIONS


def _stands_alone(word: str) -> bool:
    return len(word) >= (MIN_LETTERS if word.isascii() else 2) and not word.isdecimal()


def _fitting(terms: Iterable[tuple[str, str]], count: int = MAX_TERMS_OF_ONE) -> dict[str, str]:
    """So many of these terms by their keys, each as it is written first."""
    forms: dict[str, str] = {}
    for key, form in terms:
        if key not in forms and _fits(key):
            if len(forms) >= count:
                break
            forms[key] = form
    return forms


def _fits(key: str) -> bool:
    """Whether a term can be counted under this key; a code point has at most four bytes."""
    return bool(key) and (4 * len(key) <= MAX_KEY or len(key.encode()) <= MAX_KEY)
