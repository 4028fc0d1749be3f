"""The length rule and the entities' ranges: examples in many scripts, and properties."""

import itertools
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.tweet.domain import MAX_LENGTH, URL_LENGTH, check_length, clean_status
from services.tweet.entities import parse
from services.tweet.errors import StatusTooLongError

PIECES = [
    "#tag", "#\u0939\u093f\u0928\u094d\u0926\u0940", "#\u65e5\u672c", "@alice", "@bob_2",
    "https://example.com/a_(b)?q=1#x", "http://\u4f8b\u3048.jp", "www.example.org/x", " ", "\n",
    "word", "#1", "#", "@", ".", ",", "(", ")", "e\u0301", "\U0001f426", "\u200d", "/", "&", "://",
]  # fmt: skip
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join),
)


@settings(deadline=None)  # the machine may be busy
@given(texts)
@example("#0\u093aHTTP://0.0")
@example("#a\u00b7http://b.c")
@example("\u2764\ufe0fhttps://a.b#c")
def test_ranges_are_the_entities_places_in_the_text(raw: str) -> None:
    status = unicodedata.normalize("NFC", raw)
    found = parse(status)
    for link in found.links:
        assert status[link.start : link.end] == link.display
        assert link.url.endswith(link.display)
        assert link.url.lower().startswith(("http://", "https://"))
    for tag in found.hashtags:
        assert status[tag.start] in "#\uff03"
        assert status[tag.start + 1 : tag.end] == tag.tag
        assert tag.tag
        assert not tag.tag.isdecimal()
    for mention in found.mentions:
        assert status[mention.start] in "@\uff20"
        assert status[mention.start + 1 : mention.end] == mention.name
        assert 1 <= len(mention.name) <= 15
        assert mention.name.isascii()
    for several in (found.links, found.hashtags, found.mentions):
        assert sorted(several) == list(several)
    ranges = sorted((e.start, e.end) for each in found for e in each)
    assert all(0 <= start < end <= len(status) for start, end in ranges)
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end <= start


@settings(deadline=None)
@given(texts, st.integers(0, 300))
def test_length_counts_nfc_code_points_and_23_for_a_link(raw: str, padding: int) -> None:
    status = clean_status("x" + raw + " " + "y" * padding)
    links = parse(status).links
    assert unicodedata.is_normalized("NFC", status)
    expected = len(status)
    for link in links:
        expected += URL_LENGTH - len(link.display)
    ranges = [(link.start, link.end) for link in links]
    if expected <= MAX_LENGTH:
        check_length(status, ranges)
    else:
        with pytest.raises(StatusTooLongError) as refused:
            check_length(status, ranges)
        assert refused.value.metadata["length"] == str(expected)


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        ("#one #Two, #three_3!", ["one", "Two", "three_3"]),
        (
            "#\u0939\u093f\u0928\u094d\u0926\u0940 in Hindi",
            ["\u0939\u093f\u0928\u094d\u0926\u0940"],
        ),
        ("#\u65e5\u672c\u8a9e\u3067\u3059\u3002", ["\u65e5\u672c\u8a9e\u3067\u3059"]),
        (
            "\uff03\u0440\u0443\u0441\u0441\u043a\u0438\u0439",
            ["\u0440\u0443\u0441\u0441\u043a\u0438\u0439"],
        ),
        (
            "#\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("#caf\xe9s", ["caf\xe9s"]),
        ("#1 #2024 #1st", ["1st"]),
        ("a#b ##c #d#e @#f &#39; /#g", ["d"]),
        ("#\ufe0f\u20e3 # #-", []),
        ("(#in) '#quoted' \u201c#both\u201d", ["in", "quoted", "both"]),
        ("https://example.com/#not #yes", ["yes"]),
    ],
)
def test_hashtags(status: str, tags: list[str]) -> None:
    assert [tag.tag for tag in parse(status).hashtags] == tags


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("@alice hi @Bob_2!", ["alice", "Bob_2"]),
        ("mail me@example.com", []),
        ("@\u65e5\u672c @bob\u3055\u3093", ["bob"]),
        ("@abcdefghijklmno @abcdefghijklmnop", ["abcdefghijklmno"]),
        (".@alice (@bob) @@carol @alice@bob", ["alice", "bob"]),
        ("https://example.com/@alice @bob", ["bob"]),
        ("\uff20alice", ["alice"]),
    ],
)
def test_mentions(status: str, names: list[str]) -> None:
    assert [mention.name for mention in parse(status).mentions] == names


@pytest.mark.parametrize(
    ("status", "links"),
    [
        ("see https://example.com.", ["https://example.com"]),
        ("(https://en.wikipedia.org/wiki/A_(b))", ["https://en.wikipedia.org/wiki/A_(b)"]),
        ("HTTP://EXAMPLE.COM/A?b=c&d=%20#e, next", ["HTTP://EXAMPLE.COM/A?b=c&d=%20#e"]),
        ("www.example.org and example.org", ["www.example.org"]),
        ("http://\u4f8b\u3048.\u30c6\u30b9\u30c8/x", ["http://\u4f8b\u3048.\u30c6\u30b9\u30c8/x"]),
        ("http://127.0.0.1:8080/api", ["http://127.0.0.1:8080/api"]),
        ("https://a.b\nhttps://c.d", ["https://a.b", "https://c.d"]),
        ("http://localhost https:// xhttps://a.b", []),
    ],
)
def test_links(status: str, links: list[str]) -> None:
    assert [link.display for link in parse(status).links] == links


def test_a_link_without_scheme_becomes_absolute() -> None:
    (link,) = parse("www.example.org/x").links
    assert link.url == "https://www.example.org/x"


@pytest.mark.parametrize(
    "status",
    [
        "https://" + "a" * 60_000,
        "https://" + "a-" * 30_000,
        "https://" + "a." * 30_000,
        "https://a" * 7_000,
        "www." * 15_000,
        "https://a.b/" + "(" * 30_000 + ")" * 30_000,
        "#" * 60_000,
        "#a" * 30_000,
        "@" * 60_000,
        "#" + "a\u0301\u0302" * 20_000,
        "x" * 60_000 + "://",
    ],
)
def test_no_text_takes_long_to_parse(status: str) -> None:
    started = time.process_time()
    parse(status)
    assert time.process_time() - started < 0.5
