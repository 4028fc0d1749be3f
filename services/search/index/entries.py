"""What the index keeps of a tweet."""

from collections.abc import Sequence
from typing import NamedTuple

import tantivy

from aviary.tweet.v1.tweet_pb2 import Tweet

from ..analysis import Kind, analyze, terms_of, without_markup, words_of
from ..domain_places import Point, point_of
from ..domain_tree import HAS, HASHTAG, MENTION, TEXT, URL

TWEET_ID, USER_ID, LENGTH, REACTIONS = "tweet_id", "user_id", "length", "reactions"
LONGITUDE, LATITUDE = "longitude", "latitude"
KEY, SECOND = "key", "second"
"""The id once more: scrambled, by column, and its second (1,024 ms), by term. See `newest`."""
MARK, PLACE = "mark", "place"
"""A document of its own says how far the index has come."""
FIELDS = {HASHTAG: "hashtags", MENTION: "mentions", URL: "urls", HAS: "has"}
HAS_NAMES = {Kind.URL: "links", Kind.HASHTAG: "hashtags", Kind.MENTION: "mentions"}
MAX_LENGTH = 1_000
"""Terms of one tweet; far more than 280 characters can hold."""
SECOND_BITS = 32
_SCRAMBLER = 0x5851F42D4C957F2D
_UNSCRAMBLER = pow(_SCRAMBLER, -1, 1 << 63)
_MASK = (1 << 63) - 1


class Entry(NamedTuple):
    """A tweet as it is indexed; terms are joined by spaces."""

    tweet_id: int
    user_id: int
    text: str
    length: int
    hashtags: str
    mentions: str
    urls: str
    has: str
    reactions: int
    point: Point | None = None


def schema() -> tantivy.Schema:
    """Postings by term; what ranks is kept by column."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TEXT, tokenizer_name="whitespace", index_option="position")
    for name in (HASHTAG, MENTION, URL, HAS):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field(TWEET_ID, indexed=True, fast=True)
    builder.add_integer_field(USER_ID, indexed=True)
    builder.add_integer_field(KEY, fast=True)
    builder.add_integer_field(SECOND, indexed=True)
    builder.add_integer_field(LENGTH, fast=True)
    builder.add_integer_field(REACTIONS, fast=True)
    builder.add_float_field(LONGITUDE, fast=True)
    builder.add_float_field(LATITUDE, fast=True)
    builder.add_text_field(MARK, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(PLACE, stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def key_of(tweet_id: int) -> int:
    """The key of an id: neighbours are far from each other, so that their column has no blocks."""
    return tweet_id * _SCRAMBLER & _MASK


def ids_of_keys(keys: Sequence[int | float | bool | None]) -> list[int]:
    """The ids that have these keys, as their column has them; 0 where it has none."""
    unscramble, mask = _UNSCRAMBLER, _MASK
    return [(key or 0) * unscramble & mask for key in keys]  # type: ignore[operator]


def second_of(tweet_id: int) -> int:
    """The second in which a tweet was made; ids of one second are neighbours."""
    return tweet_id >> SECOND_BITS


def entry_of(tweet: Tweet) -> Entry | None:
    """The entry of a tweet; None for a retweet, which is found as its original."""
    if tweet.HasField("retweeted_status"):
        return None
    text = without_markup(tweet.status)
    has = "media" if tweet.media else ""
    plain = words_of(text)
    if plain is not None and len(plain.words) <= MAX_LENGTH:  # most tweets
        terms = {Kind.HASHTAG: plain.hashtags} if plain.hashtags else {}
        return _entry(tweet, plain.words, terms, has)
    tokens = analyze(text)[:MAX_LENGTH]
    terms = {}
    for token in tokens:
        terms.setdefault(token.kind, []).append(token.term)
    words = [term for token in tokens for term in terms_of(token)]
    return _entry(tweet, words, terms, has)


def _entry(tweet: Tweet, words: list[str], terms: dict[Kind, list[str]], has: str) -> Entry:
    named = [HAS_NAMES[kind] for kind in terms if kind in HAS_NAMES]
    return Entry(
        tweet.tweet_id,
        tweet.user_id,
        " ".join(words),
        len(words),
        " ".join(terms.get(Kind.HASHTAG, ())),
        " ".join(terms.get(Kind.MENTION, ())),
        " ".join(terms.get(Kind.URL, ())),
        " ".join([has, *named]),
        reactions_of(tweet),
        _point_of(tweet) if tweet.HasField("location") else None,
    )


def _point_of(tweet: Tweet) -> Point:
    return point_of(tweet.location.longitude, tweet.location.latitude)


def reactions_of(tweet: Tweet) -> int:
    """How many reacted to a tweet, in whatever way."""
    return tweet.favorite_count + tweet.retweet_count + tweet.reply_count + tweet.quote_count


def document_of(entry: Entry) -> tantivy.Document:
    """The entry as the index takes it."""
    fields: dict[str, int | float | str] = {
        TWEET_ID: entry.tweet_id,
        USER_ID: entry.user_id,
        KEY: key_of(entry.tweet_id),
        SECOND: second_of(entry.tweet_id),
        TEXT: entry.text,
        LENGTH: entry.length,
        REACTIONS: entry.reactions,
    }
    if entry.point is not None:
        fields[LONGITUDE], fields[LATITUDE] = entry.point
    for name in (HASHTAG, MENTION, URL, HAS):
        if value := getattr(entry, FIELDS[name]):
            fields[name] = value
    return tantivy.Document(**fields)
