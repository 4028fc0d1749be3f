"""Typos: the one-edit neighbours of a word, and which of those that exist was meant.

Only words that no tweet holds are ever changed, so a rare word that is right stays.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from string import ascii_lowercase, digits

MIN_LETTERS = 3
MAX_LETTERS = 24
SAME_START, TRANSPOSED, DOUBLED = 2.0, 2.0, 2.0
"""How much likelier a neighbour is, as powers of e: people get the first letter right, swap two
letters, and write one letter twice or once."""
_SCRIPTS = {
    "CYRILLIC": "".join(map(chr, range(0x430, 0x450))),
    "GREEK": "".join(map(chr, range(0x3B1, 0x3CA))),
    "ARABIC": "".join(map(chr, range(0x621, 0x64B))),
    "HEBREW": "".join(map(chr, range(0x5D0, 0x5EB))),
    "DEVANAGARI": "".join(map(chr, range(0x905, 0x94E))),
}


def may_be_wrong(word: str) -> bool:
    """Whether typos are fixed in a word: letters of a known alphabet, neither short nor long."""
    if not MIN_LETTERS <= len(word) <= MAX_LETTERS or word.isdecimal():
        return False
    return bool(_alphabet(word))


@lru_cache(10_000)
def neighbours(word: str) -> tuple[str, ...]:
    """Every word that is one insertion, deletion, substitution or transposition away."""
    alphabet = _alphabet(word)
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    found = {head + tail[1:] for head, tail in splits if tail}
    found |= {head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1}
    found |= {head + letter + tail[1:] for head, tail in splits if tail for letter in alphabet}
    found |= {head + letter + tail for head, tail in splits for letter in alphabet}
    return tuple(sorted(found - {word, ""}))


def best(word: str, frequencies: Mapping[str, int]) -> str | None:
    """The neighbour that was meant most likely, of those with a frequency; None without any."""
    known = [other for other, count in frequencies.items() if count > 0]
    return min(known, key=lambda o: (-_likelihood(word, o, frequencies[o]), o), default=None)


def respelled(text: str, corrections: Iterable[tuple[int, int, str]]) -> str:
    """A text with the words at some places (start, end, what stands there) exchanged."""
    for start, end, word in sorted(corrections, reverse=True):
        text = text[:start] + word + text[end:]
    return text


def _likelihood(word: str, other: str, frequency: int) -> float:
    likely = math.log(frequency)
    if word[0] == other[0]:
        likely += SAME_START
    if len(word) == len(other) and sorted(word) == sorted(other):
        likely += TRANSPOSED
    elif len(word) != len(other) and _undoubled(word) == _undoubled(other):
        likely += DOUBLED
    return likely


def _undoubled(word: str) -> str:
    return "".join(a for a, b in zip(word, word[1:] + "\0", strict=True) if a != b)


def _alphabet(word: str) -> str:
    """The letters that may stand in a word's place: those of its script; none where it has none."""
    first = next((letter for letter in word if letter.isalpha()), "")
    if not first:
        return ""
    if first.isascii():
        return ascii_lowercase + digits
    script = unicodedata.name(first, "").partition(" ")[0]
    return ascii_lowercase if script == "LATIN" else _SCRIPTS.get(script, "")
