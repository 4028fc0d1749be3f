"""Media as messages: by themselves, and as the part of a tweet."""

from collections.abc import Sequence

from aviary.tweet.v1 import entities_pb2, media_pb2, tweet_pb2
from services.chassis.snowflake import unix_ms_of

from ..domain import MEDIA, TweetRow
from .domain import MediaRow


def message_of(row: MediaRow) -> media_pb2.Media:
    """The `Media` of a row."""
    seconds, milliseconds = divmod(unix_ms_of(row.media_id), 1000)
    media = media_pb2.Media(
        media_id=row.media_id,
        user_id=row.user_id,
        kind=media_pb2.MediaKind.Name(row.kind),
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        width=row.width,
        height=row.height,
        duration_ms=row.duration_ms,
        url=_url(row.key),
        alt_text=row.alt_text,
        create_time={"seconds": seconds, "nanos": milliseconds * 1_000_000},
    )
    sizes = zip(row.thumbnail_keys, row.thumbnail_widths, row.thumbnail_heights, strict=True)
    for key, width, height in sizes:
        media.thumbnails.add(url=_url(key), width=width, height=height)
    return media


def with_media(row: TweetRow, media: Sequence[MediaRow]) -> TweetRow:
    """A tweet that shows media: they stand behind its text."""
    end = len(row.status)
    entities = entities_pb2.Entities()
    for each in media:
        entities.media.add(start=end, end=end, media_id=each.media_id)
    tweet = tweet_pb2.Tweet(media=map(message_of, media))
    return row._replace(
        # Messages behind each other are merged when they are read.
        entities=row.entities + entities.SerializeToString(),
        flags=row.flags | MEDIA,
        media=tweet.SerializeToString(),
    )


def _url(key: str) -> str:
    return f"/media/{key}"
