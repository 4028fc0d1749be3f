"""The one analysis: tokens, kinds, folding, and the short ways that must say the same."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.analysis import (
    Kind,
    analyze,
    by_filters,
    normalized,
    terms_of,
    without_markup,
    words_of,
)

TEXTS = st.text(
    st.sampled_from(string.printable.replace("\x0b", "").replace("\x0c", "")), max_size=60
)
PIECES = st.lists(
    st.sampled_from(
        ["#tag", "#12", "@wren", "a@b.c", "http://x.org/a?b", "www.y.org", "don't", "Wren's", "x_y",
         "..", "'", "#", "@", "foo-bar,baz", "A1", "&amp;", "<b>", "HTTPS://Z.ORG/P"]
    ),
    max_size=8,
).map(" ".join)  # fmt: skip


@given(TEXTS | PIECES)
def test_the_short_ways_say_what_the_filters_say(text: str) -> None:
    assert analyze(text) == list(by_filters(text))


TAGGED = st.lists(
    st.sampled_from(["#tag", "#12", "#a_b", "x#y", "##z", "don't", "'s", "_", "/#w", "a" * 70, "A1",
                     "#" + "B" * 70, "&#c", "\n", "-", "WWW", ":", "/"])
)  # fmt: skip


@given(TEXTS | PIECES | TAGGED.map(" ".join) | TAGGED.map("".join))
def test_the_shortest_way_says_what_the_others_say(text: str) -> None:
    found = words_of(text)
    tokens = analyze(text)
    kinds = {token.kind for token in tokens}
    if found is None:
        assert "@" in text or "://" in text or "www." in text.lower()
        return
    assert kinds <= {Kind.WORD, Kind.HASHTAG}
    assert found.words == [term for token in tokens for term in terms_of(token)]
    assert found.hashtags == [token.term for token in tokens if token.kind is Kind.HASHTAG]


@given(st.text(max_size=80))
def test_ranges_lie_in_the_text_and_terms_are_normalized(text: str) -> None:
    before = 0
    for token in analyze(text):
        assert 0 <= token.start < token.end <= len(text)
        assert token.start >= before
        before = token.start
        assert token.term
        if token.kind is Kind.WORD:
            assert token.term == token.term.casefold() or not token.term.isascii()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("HELLO Hello hello", ["hello"] * 3),
        ("caf\u00e9 CAFE\u0301 Cafe", ["cafe"] * 3),
        ("\uff28\uff25\uff2c\uff2c\uff2f", ["hello"]),
        ("foo-bar,baz", ["foo", "bar", "baz"]),
        ("don't Wren's", ["dont", "wren"]),
        ("\u6771\u4eac\u30bf", ["\u6771\u4eac", "\u4eac\u30bf"]),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", ["\u0928\u092e\u0938\u094d\u0924\u0947"]),
        ("\U0001f469\u200d\U0001f4bb!", ["\U0001f469\u200d\U0001f4bb"]),
        ("\U0001f1e9\U0001f1ea", ["\U0001f1e9\U0001f1ea"]),
        ("stra\u00dfe", ["strasse"]),
        ("\u041f\u0440\u0418\u0432\u0435\u0442", ["\u043f\u0440\u0438\u0432\u0435\u0442"]),
    ],
)  # fmt: skip
def test_terms(text: str, terms: list[str]) -> None:
    """S000-65, S000-67."""
    assert [token.term for token in analyze(text)] == terms


def test_signs() -> None:
    text = "see #Tag and @Wren at https://www.Example.org/A/b. #123"
    tokens = [token for token in analyze(text) if token.kind is not Kind.WORD]
    assert [(t.kind, t.term, text[t.start : t.end]) for t in tokens] == [
        (Kind.HASHTAG, "tag", "#Tag"),
        (Kind.MENTION, "wren", "@Wren"),
        (Kind.URL, "example.org/A/b", "https://www.Example.org/A/b"),
    ]


def test_markup() -> None:
    """S000-64."""
    assert without_markup("<b>hello</b> &amp; <i class='x'>world</i>").split() == [
        "hello",
        "&",
        "world",
    ]
    assert without_markup("1 < 2 and <3") == "1 < 2 and <3"
    assert normalized("\u2019s") == ""
