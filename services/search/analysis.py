"""The one analysis of text, for tweets and for queries: markup out, tokens, normalized terms.

The steps are a Whoosh analyzer: a tokenizer of our own expression, and filters that say what a
token is, fold case and accents, and cut scripts without spaces into overlapping pairs of letters.
ASCII text takes shorter ways to the same tokens, a fifth of the time; a test holds them equal.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

import regex
from whoosh.analysis import Filter, RegexTokenizer, Token


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    HASHTAG = "hashtag"
    MENTION = "mention"
    URL = "url"
    EMOJI = "emoji"


class Analyzed(NamedTuple):
    """A token: its kind, the term that is looked up, and its code points in the plain text."""

    kind: Kind
    term: str
    start: int
    end: int


class Words(NamedTuple):
    """The words of a text, hashtags among them, and the hashtags."""

    words: list[str]
    hashtags: list[str]


MAX_TERM = 64
"""Code points of a term; what is longer is cut."""
_EMOJI = r"(?:\p{RI}\p{RI}|\p{Extended_Pictographic}[\uFE0F\p{EMod}]*(?:\u200D\p{Extended_Pictographic}[\uFE0F\p{EMod}]*)*)"  # noqa: E501
_LETTERS = r"[\p{L}\p{M}\p{N}]"
_TOKENS = regex.compile(
    rf"(?P<url>(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?'\u2019)\]}}*_~])"
    rf"|(?<![\w#\uff03@\uff20&/])[#\uff03](?P<hashtag>[\p{{L}}\p{{M}}\p{{N}}_]+)"
    rf"|(?<![\w@\uff20])[@\uff20](?P<mention>[A-Za-z0-9_]{{1,15}})(?![\w@\uff20])"
    rf"|(?P<emoji>{_EMOJI})"
    rf"|(?P<word>{_LETTERS}+(?:['\u2019]{_LETTERS}+)*)",
    regex.IGNORECASE,
)
_ASCII_TOKENS = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?')\]}*_~])"
    r"|(?<![\w#@&/])#(?P<hashtag>\w+)"
    r"|(?<![\w@])@(?P<mention>\w{1,15})(?![\w@])"
    r"|(?P<word>[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*)",
    re.IGNORECASE | re.ASCII,
)
_KINDS = {kind.value: kind for kind in Kind}
_MARKUP = re.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]*>", re.DOTALL)
_CJK = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc]+"
)
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
_TAGS_AND_WORDS = re.compile(r"(?<![\w#@&/])#(\w+)|([A-Za-z0-9]+(?:'[A-Za-z0-9]+)*)", re.ASCII)
_SIGNS = re.compile(r"[#@]|://|www\.", re.IGNORECASE)
_ACCENTS = re.compile("[\u0300-\u036f]+")


def without_markup(text: str) -> str:
    """The text that markup shows: tags and comments out, character references resolved."""
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    return html.unescape(text) if "&" in text else text


def analyze(text: str) -> list[Analyzed]:
    """The tokens of a text without markup, in their order."""
    if not text.isascii():
        return list(by_filters(text))
    if _SIGNS.search(text):
        return list(_by_expression(text))
    return [
        Analyzed(Kind.WORD, _plain_term(match[0]), *match.span()) for match in _PLAIN.finditer(text)
    ]


def words_of(text: str) -> Words | None:
    """The terms of a text that has nothing but ASCII words and hashtags; None for any other."""
    lower = text.lower()
    if not text.isascii() or "@" in text or "://" in text or "www." in lower:
        return None
    hashtags: list[str] = []
    if "#" in text:
        pairs: list[tuple[str, str]] = _TAGS_AND_WORDS.findall(lower)
        hashtags = [tag[:MAX_TERM] for tag, _ in pairs if tag and not tag.isdecimal()]
        words = [tag or word for tag, word in pairs]
    else:
        words = _PLAIN.findall(lower)
    if "'" in text or max(map(len, words), default=0) > MAX_TERM:
        words = [term for word in words if (term := _plain_term(word))]
    return Words(words, hashtags)


def normalized(text: str) -> str:
    """A word without case, accents, apostrophes and forms of compatibility."""
    if text.isascii():
        return _plain_term(text)
    folded = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).casefold()
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", folded)))
    return _plain_term(folded)


def terms_of(token: Analyzed) -> tuple[str, ...]:
    """The terms of a text field that a token stands for: a hashtag is also a word."""
    return (token.term,) if token.kind in (Kind.WORD, Kind.EMOJI, Kind.HASHTAG) else ()


class _Kinds(Filter):
    """Says what each token is, by the group of the expression that matched."""

    def __call__(self, tokens: Iterator[Token]) -> Iterator[Token]:
        for token in tokens:
            match = _TOKENS.match(token.source, token.startchar)
            token.kind = Kind(match.lastgroup)
            token.text = match[match.lastgroup]
            if token.kind is Kind.HASHTAG and token.text.isdecimal():
                token.kind = Kind.WORD
            yield token


class _Normalized(Filter):
    """Folds case, accents and forms."""

    def __call__(self, tokens: Iterator[Token]) -> Iterator[Token]:
        for token in tokens:
            if token.kind is Kind.URL:
                token.text = url_term(token.text)
            elif token.kind is Kind.EMOJI:
                token.text = token.text.replace("\ufe0f", "")
            else:
                token.text = normalized(token.text)[:MAX_TERM]
            if token.text:
                yield token


class _Pairs(Filter):
    """Cuts words of scripts without spaces into overlapping pairs of characters."""

    def __call__(self, tokens: Iterator[Token]) -> Iterator[Token]:
        for token in tokens:
            if token.kind is not Kind.WORD or not _CJK.search(token.text):
                yield token
                continue
            whole, start = token.text, token.startchar
            for piece, at in _pieces(whole):
                token.text, token.startchar = piece, start + at
                token.endchar = token.startchar + len(piece)
                yield token


class _Source(Filter):
    """Remembers the text, so that later filters can look at what is around a token."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, tokens: Iterator[Token]) -> Iterator[Token]:
        for token in tokens:
            token.source = self._text
            yield token


def by_filters(text: str) -> Iterator[Analyzed]:
    """The tokens of any text, by Whoosh's filters."""
    analyzer = RegexTokenizer(_TOKENS) | _Source(text) | _Kinds() | _Pairs() | _Normalized()
    for token in analyzer(text, chars=True):
        yield Analyzed(token.kind, token.text, token.startchar, token.endchar)


def _by_expression(text: str) -> Iterator[Analyzed]:
    """The tokens of an ASCII text: nothing to fold but case, nothing to cut."""
    for match in _ASCII_TOKENS.finditer(text):
        name = match.lastgroup
        assert name is not None
        kind, piece = _KINDS[name], match[name]
        if kind is Kind.URL:
            term = url_term(piece)
        else:
            term = _plain_term(piece)
            if kind is Kind.HASHTAG and piece.isdecimal():
                kind = Kind.WORD
        if term:
            yield Analyzed(kind, term, *match.span())


def _pieces(word: str) -> Iterator[tuple[str, int]]:
    at = 0
    for match in _CJK.finditer(word):
        if match.start() > at:
            yield word[at : match.start()], at
        run, at = match[0], match.end()
        if len(run) == 1:
            yield run, match.start()
        for place in range(len(run) - 1):
            yield run[place : place + 2], match.start() + place
    if at < len(word):
        yield word[at:], at


def url_term(url: str) -> str:
    """A link without scheme and `www.`, its host in lower case."""
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", url, flags=re.IGNORECASE)
    host, slash, path = bare.partition("/")
    return (host.lower() + slash + path).rstrip("/")[: 4 * MAX_TERM]


@lru_cache(100_000)
def _plain_term(word: str) -> str:
    word = word.lower()
    if "'" in word:
        word = word.removesuffix("'s").replace("'", "")
    return word[:MAX_TERM]
