"""What the index keeps of a tweet."""

from typing import NamedTuple

import tantivy

from aviary.tweet.v1.tweet_pb2 import Tweet

from ..analysis import Kind, analyze, terms_of, without_markup
from ..domain_tree import HAS, HASHTAG, MENTION, TEXT, URL

TWEET_ID, USER_ID, LENGTH, REACTIONS = "tweet_id", "user_id", "length", "reactions"
MARK, PLACE = "mark", "place"
"""A document of its own says how far the index has come."""
MAX_LENGTH = 1_000
"""Terms of one tweet; far more than 280 characters can hold."""


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


def schema() -> tantivy.Schema:
    """Postings by term; what ranks is kept by column."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TEXT, tokenizer_name="whitespace", index_option="position")
    for name in (HASHTAG, MENTION, URL, HAS):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field(TWEET_ID, indexed=True, fast=True)
    builder.add_integer_field(USER_ID, indexed=True)
    builder.add_integer_field(LENGTH, fast=True)
    builder.add_integer_field(REACTIONS, fast=True)
    builder.add_text_field(MARK, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(PLACE, stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def entry_of(tweet: Tweet) -> Entry | None:
    """The entry of a tweet; None for a retweet, which is found as its original."""
    if tweet.HasField("retweeted_status"):
        return None
    tokens = analyze(without_markup(tweet.status))[:MAX_LENGTH]
    words = [term for token in tokens for term in terms_of(token)]
    kinds = {kind: [t.term for t in tokens if t.kind is kind] for kind in Kind}
    has = {
        "media": bool(tweet.media),
        "links": bool(kinds[Kind.URL]),
        "hashtags": bool(kinds[Kind.HASHTAG]),
        "mentions": bool(kinds[Kind.MENTION]),
    }
    return Entry(
        tweet.tweet_id,
        tweet.user_id,
        " ".join(words),
        len(words),
        " ".join(kinds[Kind.HASHTAG]),
        " ".join(kinds[Kind.MENTION]),
        " ".join(kinds[Kind.URL]),
        " ".join(name for name, there in has.items() if there),
        reactions_of(tweet),
    )


def reactions_of(tweet: Tweet) -> int:
    """How many reacted to a tweet, in whatever way."""
    return tweet.favorite_count + tweet.retweet_count + tweet.reply_count + tweet.quote_count


def document_of(entry: Entry) -> tantivy.Document:
    """The entry as the index takes it."""
    return tantivy.Document(
        **{
            TWEET_ID: entry.tweet_id,
            USER_ID: entry.user_id,
            TEXT: entry.text,
            LENGTH: entry.length,
            REACTIONS: entry.reactions,
            HASHTAG: entry.hashtags,
            MENTION: entry.mentions,
            URL: entry.urls,
            HAS: entry.has,
        }
    )
