"""Queries: the language, its bounds, and that nothing else ever happens."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.domain_tree import leaves
from services.search.errors import QueryInvalidError
from services.search.query.bounds import MAX_TERMS
from services.search.query.syntax import by_parser, parse
from services.search.query.understanding import Understood, corrected, expression_of, understand
from services.search.tree_messages import message_of, node_of

PIECES = [
    '"', "(", ")", "-", " OR ", " AND ", "NOT ", "from:", "since:", "until:2026-01-01", "has:media",
    "#a", "@b", "word", "*", "?", "~2", "^5", "[a TO b]", ":", "\\", "<b>", "&", "\u6771\u4eac",
    "https://x.org", "  ", "'", "\U0001f600", "\u0301", "+", "!", "{", "}", "/", "fr\u00e9d",
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("a b", "(a AND b)"),
        ("a OR b", "(a OR b)"),
        ("a b -c", "(a AND b AND -c)"),
        ("(a OR b) c", "((a OR b) AND c)"),
        ('"exact phrase" x', '("exact phrase" AND x)'),
        ("-\"bad word\" ok", '(-"bad word" AND ok)'),
        ("#Tag @Name", "(hashtag:tag AND mention:name)"),
        ("x from:Wren has:media", "(x AND from:wren AND has:media)"),
        ("since:2026-01-31 x", "(time:1769817600000.. AND x)"),
        ("x until:2026-02-01", "(x AND time:..1769904000000)"),
        ("foo-bar,baz", "(foo AND bar AND baz)"),
        ("\u6771\u4eac\u30bf", '"\u6771\u4eac \u4eac\u30bf"'),
        ("a a a", "a"),
        ("a* b?", "(a AND b)"),
        ("title:x", "(title AND x)"),
        ("HELLO", "hello"),
    ],
)  # fmt: skip
def test_the_language(query: str, expression: str) -> None:
    """S000-68."""
    tree = understand(query).tree
    assert expression_of(tree) == expression
    assert node_of(message_of(tree)) == tree


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=600))
def test_any_text_is_understood_or_refused(query: str) -> None:
    try:
        understood = understand(query)
    except QueryInvalidError:
        return
    assert len(query) <= 500
    assert 1 <= sum(1 for _ in leaves(understood.tree)) <= MAX_TERMS


@given(
    st.lists(st.sampled_from(["word", "or", "OR", "nor", "x1", "AND", "NOT", "  "])).map(" ".join)
)
def test_plain_words_are_parsed_as_the_parser_does(query: str) -> None:
    try:
        tree = parse(query)
    except QueryInvalidError:
        return
    assert tree == by_parser(query)


class Corpus:
    """How many tweets hold a word; counts what it is asked."""

    def __init__(self, **frequencies: int) -> None:
        self.frequencies = frequencies
        self.asked = 0

    async def __call__(self, words: Sequence[str]) -> Mapping[str, int]:
        self.asked += len(words)
        return {w: self.frequencies[w] for w in words if w in self.frequencies}

    def correct(self, query: str) -> Understood:
        return asyncio.run(corrected(understand(query), self))


def test_words_that_exist_are_left_alone() -> None:
    known = Corpus(form=1, from_=0, world=900, word=1)
    assert known.correct("form word").corrections == ()
    assert known.asked == 2, "nothing else is looked up where nothing is wrong"


def test_corrections_keep_the_query_around_them() -> None:
    known = Corpus(hello=10, world=5)
    found = known.correct('Helo "wrld helo" -wurld #helo from:helo has:media')
    assert found.corrected_query == 'hello "world hello" -world #helo from:helo has:media'
    assert expression_of(found.tree) == (
        '(hello AND "world hello" AND -world AND hashtag:helo AND from:helo AND has:media)'
    )
    assert {c.original: c.frequency for c in found.corrections} == {
        "helo": 10, "wrld": 5, "wurld": 5,
    }  # fmt: skip


def test_operators_are_not_corrected() -> None:
    known = Corpus(hello=10, neat=7, idea=3, media=0)
    found = known.correct("near idae near:1.5,2,25km has:media from:idae bbox:1,2,3,4")
    assert found.corrected_query == ("neat idea near:1.5,2,25km has:media from:idae bbox:1,2,3,4")
    assert expression_of(found.tree).startswith("(neat AND idea AND near:1.5,2,25km AND has:media")


def test_what_has_no_neighbour_stays() -> None:
    found = Corpus(hello=10).correct("xylophon hello 1234 ab")
    assert (found.corrections, found.corrected_query) == ((), "")


def test_the_work_is_bounded() -> None:
    known = Corpus()
    known.correct(" ".join(f"missing{chr(97 + n)}" for n in range(MAX_TERMS - 6)))
    assert known.asked < 30_000
