"""Links, hashtags and mentions of a status, with their code-point ranges.

A link starts with `http://`, `https://` or `www.` and has a host with a dot. A hashtag is `#` and
letters, marks, digits and `_` of any script, not digits alone. A mention is `@` and a user name.
Neither follows a word. Ranges never overlap; a link wins.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_LABEL = r"[^\W_]+(?:-+[^\W_]+)*"
_TRIGGER = re.compile(r"[#\uff03@\uff20]|://|www\.", re.IGNORECASE)
_URL = re.compile(
    r"(?<![\w@\uff20#\uff03./\u200c\u200d\u00b7\u30fb-])"
    rf"(?:https?://|www\.)(?:{_LABEL}\.)+{_LABEL}"
    r"(?::\d{1,5})?(?:[/?#][^\s<>\"]*)?",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?'\u2019\u201d\u00bb*_~"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_SIGN = re.compile(r"(?<![\w#\uff03@\uff20&/])(?:[#\uff03](?=\w)|[@\uff20](?=[A-Za-z0-9_]))")
_NAME = re.compile(r"[A-Za-z0-9_]{1,15}(?![A-Za-z0-9_@\uff20\u00c0-\u024f])")
_WORD = re.compile(r"\w*")
_JOINERS = "\u200c\u200d\u00b7\u30fb"
"""Between word characters these belong to the word (Persian, Indic, Catalan, Japanese)."""


class Link(NamedTuple):
    """A link; `display` as it stands in the text, `url` absolute."""

    start: int
    end: int
    url: str
    display: str


class Hashtag(NamedTuple):
    """A hashtag; `tag` without its sign."""

    start: int
    end: int
    tag: str


class Mention(NamedTuple):
    """A mention; `name` without its sign. Whether such a user exists is another question."""

    start: int
    end: int
    name: str


class Found(NamedTuple):
    """The entities of a status, each list in order of appearance."""

    links: Sequence[Link]
    hashtags: Sequence[Hashtag]
    mentions: Sequence[Mention]


NOTHING = Found((), (), ())


def parse(status: str) -> Found:
    """Find the entities of a clean status."""
    if not _TRIGGER.search(status):
        return NOTHING
    links = [
        _link(status, match)
        for match in _URL.finditer(status)
        if not _follows_mark(status, match.start())
    ]
    hashtags: list[Hashtag] = []
    mentions: list[Mention] = []
    at, following = 0, iter([*links, None])
    link = next(following)
    while sign := _SIGN.search(status, at):
        start, at = sign.start(), sign.end()
        while link is not None and link.end <= start:
            link = next(following)
        if link is not None and link.start <= start:
            at = link.end
        elif _follows_mark(status, start):
            continue
        elif status[start] in "#\uff03":
            at = _word_end(status, at)
            if not status[start + 1 : at].isdecimal():
                hashtags.append(Hashtag(start, at, status[start + 1 : at]))
        elif name := _NAME.match(status, at):
            at = name.end()
            mentions.append(Mention(start, at, name[0]))
    return Found(links, hashtags, mentions)


def _link(status: str, match: re.Match[str]) -> Link:
    start, end = match.span()
    end = _without_trailing(status, start, end)
    display = status[start:end]
    return Link(start, end, display if "://" in display[:8] else f"https://{display}", display)


def _without_trailing(status: str, start: int, end: int) -> int:
    """The end of a link without the sentence's punctuation and without unopened brackets."""
    open_brackets = {close: status.count(open_, start, end) for close, open_ in _BRACKETS.items()}
    closed = {close: status.count(close, start, end) for close in _BRACKETS}
    while end > start:
        last = status[end - 1]
        if last in _BRACKETS and closed[last] > open_brackets[last]:
            closed[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return end


def _word_end(status: str, at: int) -> int:
    """Behind the word that starts here, its combining marks and inner joiners included."""
    while at < len(status):
        match = _WORD.match(status, at)
        assert match is not None
        at = match.end()
        joins = status[at : at + 1] in _JOINERS and _is_word(status[at + 1 : at + 2])
        if at < len(status) and not (joins or _is_mark(status[at])):
            break
        at += 1
    return min(at, len(status))


def _is_mark(character: str) -> bool:
    """Whether it is part of a word; an emoji's variation selector is not."""
    return unicodedata.category(character) in ("Mn", "Mc") and character != "\ufe0f"


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _follows_mark(status: str, start: int) -> bool:
    """Whether this place is right behind a combining mark, which ends a word as letters do."""
    return start > 0 and not status[start - 1].isascii() and _is_mark(status[start - 1])
