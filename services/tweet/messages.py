"""Tweets as messages: the same bytes for the answer, the cache and the event."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from time import gmtime

from aviary.tweet.v1 import entities_pb2, tweet_pb2
from clients.tweet import RETWEETED_STATUS, author_id_of, tweet_id_of
from clients.wire import frame
from services.chassis.snowflake import unix_ms_of

from .domain import SENSITIVE, TweetRow
from .domain_tags import Tagged, Untagged
from .entities import NOTHING, Found

LATEST = b"\x92\x03"
"""Tag of field 50: `latest_tweets` of CreateTweetResponse."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class TweetMessages:
    """Makes `Tweet`s; `public_url` is what their `url` starts with."""

    def __init__(self, public_url: str) -> None:
        self._prefix = f"{public_url.rstrip('/')}/api/v1/tweets/"

    def url(self, tweet_id: int) -> str:
        """Where a tweet is to be read."""
        return f"{self._prefix}{tweet_id}"

    def serialize(self, row: TweetRow) -> bytes:
        """The serialized `Tweet` of a row, the same whenever it is made.

        Of a retweet a stub: of the original only who wrote what, at its end. See `with_original`.
        """
        seconds, milliseconds = divmod(unix_ms_of(row.tweet_id), 1000)
        tweet = tweet_pb2.Tweet(
            tweet_id=row.tweet_id,
            user_id=row.author_id,
            status=row.status,
            created_at=_twitter_time(seconds),
            create_time={"seconds": seconds, "nanos": milliseconds * 1_000_000},
            entities=_NO_ENTITIES,
            in_reply_to_tweet_id=row.in_reply_to_tweet_id,
            in_reply_to_user_id=row.in_reply_to_user_id,
            quote_tweet_id=row.quote_tweet_id,
            quote_user_id=row.quote_user_id,
            sensitive=row.flags & SENSITIVE != 0,
            url=f"{self._prefix}{row.tweet_id}",
            conversation_id=row.conversation_id,
            **row.counts._asdict(),
        )
        if row.entities:
            tweet.entities.MergeFromString(row.entities)
        if row.media:
            tweet.MergeFromString(row.media)
        if row.longitude is not None and row.latitude is not None:
            tweet.location.longitude, tweet.location.latitude = row.longitude, row.latitude
        serialized = tweet.SerializeToString()
        if not row.original_tweet_id:
            return serialized
        return serialized + _original_stub(row.original_tweet_id, row.original_user_id)


def with_original(stub: bytes, original: bytes) -> bytes:
    """A serialized retweet, made of its stub and the serialized original.

    The original takes the place of what the stub says of it: a field that stood there twice would
    be merged by some readers and shown twice by others.
    """
    known = _original_stub(tweet_id_of(original), author_id_of(original))
    return stub.removesuffix(known) + frame(RETWEETED_STATUS, original)


def _original_stub(tweet_id: int, user_id: int) -> bytes:
    stub = tweet_pb2.Tweet(tweet_id=tweet_id, user_id=user_id).SerializeToString()
    return frame(RETWEETED_STATUS, stub)


_NO_ENTITIES = entities_pb2.Entities()


def entities_bytes(found: Found, user_ids: Mapping[str, int]) -> bytes:
    """Serialized `Entities`; mentions of names that `user_ids` lacks are left out."""
    if found is NOTHING:
        return b""
    entities = entities_pb2.Entities()
    for link in found.links:
        entities.urls.add(start=link.start, end=link.end, url=link.url, display_url=link.display)
    for tag in found.hashtags:
        entities.hashtags.add(start=tag.start, end=tag.end, tag=tag.tag)
    for mention in found.mentions:
        user_id = user_ids.get(mention.name.lower())
        if user_id is not None:
            entities.user_mentions.add(
                start=mention.start, end=mention.end, user_id=user_id, user_name=mention.name
            )
    return entities.SerializeToString()


def mentioned(user_ids: Mapping[str, int], tagged: Iterable[Tagged] = ()) -> tuple[int, ...]:
    """Whom resolved names and tags mention, each once; not those of whom only the name is known."""
    return tuple(({*user_ids.values()} | {each.user_id for each in tagged}) - {0})


def with_tags(row: TweetRow, tagged: Iterable[Tagged]) -> TweetRow:
    """A tweet in whose photos users are tagged."""
    entities = entities_pb2.Entities()
    for each in tagged:
        entities.media_tags.add(user_id=each.user_id, user_name=each.user_name)
    # Messages behind each other are merged when they are read.
    return row._replace(entities=row.entities + entities.SerializeToString())


def without_tag(entities: bytes, user_id: int) -> Untagged | None:
    """Serialized `Entities` without a user's tag; None where there is no such tag."""
    read = entities_pb2.Entities.FromString(entities)
    kept = [each for each in read.media_tags if each.user_id != user_id]
    if len(kept) == len(read.media_tags):
        return None
    del read.media_tags[:]
    read.media_tags.extend(kept)
    named = any(mention.user_id == user_id for mention in read.user_mentions)
    return Untagged(read.SerializeToString(), named)


def frames(tag: bytes, messages: Iterable[bytes]) -> bytes:
    """Serialized messages as a repeated field."""
    return b"".join([frame(tag, message) for message in messages])


@lru_cache(maxsize=4096)
def _twitter_time(seconds: int) -> str:
    """`Wed Sep 05 00:37:15 +0000 2012`, whatever the locale."""
    t = gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]} {_MONTHS[t.tm_mon - 1]} {t.tm_mday:02d}"
        f" {t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} +0000 {t.tm_year}"
    )
