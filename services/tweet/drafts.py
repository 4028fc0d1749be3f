"""Requests to post, read: aliases, the loosely typed fields, and the rules of the domain."""

import math
from typing import NamedTuple

from google.protobuf.struct_pb2 import Value

from aviary.tweet.v1 import tweet_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.errors import InvalidFieldError

from .domain import (
    MAX_LATEST,
    MAX_LENGTH,
    Place,
    check_length,
    clean_status,
    place_of,
    place_of_text,
    unreadable_place,
)
from .domain_tags import media_tags_of
from .entities import Found, parse
from .media.domain import media_ids_of


class Draft(NamedTuple):
    """What somebody wants to post, checked as far as that goes without a store."""

    status: str
    found: Found
    in_reply_to_tweet_id: int = 0
    quote_tweet_id: int = 0
    place: Place | None = None
    author_place: Place | None = None
    sensitive: bool = False
    media_ids: tuple[int, ...] = ()
    media_tags: tuple[str, ...] = ()


def draft_of(request: pb.CreateTweetRequest, maximum: int = MAX_LENGTH) -> Draft:
    """The draft in a request to post, of at most so many characters."""
    media_ids = media_ids_of(_media_ids(request.media_ids))
    text = request.status or request.tweet_data
    if request.tweet_data and request.tweet_data != text:
        raise _contradiction("tweet_data", "status")
    status, found = _read(text, "status", maximum, optional=bool(media_ids))
    return Draft(
        status,
        found,
        request.in_reply_to_tweet_id,
        request.quote_tweet_id,
        _place(request),
        _loose_place(request.user_location, "user_location")
        if request.HasField("user_location")
        else None,
        request.sensitive,
        media_ids,
        media_tags_of(request.media_tags),
    )


def draft_of_import(tweet: pb.IngestTweet, field: str, maximum: int = MAX_LENGTH) -> Draft:
    """The draft in a tweet to import; `field` names it in errors."""
    if tweet.user_id <= 0:
        raise InvalidFieldError(field=f"{field}.user_id", problem="is required")
    status, found = _read(tweet.status, f"{field}.status", maximum)
    place = (
        _plain_place(tweet.location, f"{field}.location") if tweet.HasField("location") else None
    )
    return Draft(
        status,
        found,
        tweet.in_reply_to_tweet_id,
        tweet.quote_tweet_id,
        place,
        None,
        tweet.sensitive,
    )


def latest_count(request: pb.CreateTweetRequest) -> int:
    """How many of the author's latest tweets the answer carries."""
    count = request.maximum_results_to_return
    if count < 0:
        problem = f"is {count}; it must be 0 to {MAX_LATEST}"
        raise InvalidFieldError(field="maximum_results_to_return", problem=problem)
    return min(count, MAX_LATEST)


def _read(text: str, field: str, maximum: int, *, optional: bool = False) -> tuple[str, Found]:
    status = clean_status(text, field, optional=optional)
    found = parse(status)
    check_length(status, [(link.start, link.end) for link in found.links], field, maximum)
    return status, found


def _place(request: pb.CreateTweetRequest) -> Place | None:
    place = _plain_place(request.location, "location") if request.HasField("location") else None
    if not request.HasField("tweet_location"):
        return place
    alias = _loose_place(request.tweet_location, "tweet_location")
    if place is not None and alias is not None and alias != place:
        raise _contradiction("tweet_location", "location")
    return place or alias


def _plain_place(location: tweet_pb2.Location, field: str) -> Place:
    return place_of(location.longitude, location.latitude, field)


def _loose_place(value: Value, field: str) -> Place | None:
    """A place given as text, as a pair of numbers or as an object; null and "" are none."""
    match value.WhichOneof("kind"):
        case None | "null_value":
            return None
        case "string_value":
            text = value.string_value
            return place_of_text(text, field) if text.strip() else None
        case "list_value":
            parts = list(value.list_value.values)
        case "struct_value":
            fields = value.struct_value.fields
            if set(fields) != {"longitude", "latitude"}:
                raise unreadable_place(field)
            parts = [fields["longitude"], fields["latitude"]]
        case _:
            raise unreadable_place(field)
    if [part.WhichOneof("kind") for part in parts] != ["number_value", "number_value"]:
        raise unreadable_place(field)
    return place_of(parts[0].number_value, parts[1].number_value, field)


def _media_ids(value: Value) -> list[str]:
    """The ids in `media_ids`: one or a list, each a text or a number; empty ones are none."""
    kind = value.WhichOneof("kind")
    values = list(value.list_value.values) if kind == "list_value" else [value]
    return [text for text in map(_media_id, values) if text]


def _media_id(value: Value) -> str:
    match value.WhichOneof("kind"):
        case None | "null_value":
            return ""
        case "string_value":
            return value.string_value.strip()
        case "number_value" if math.isfinite(value.number_value):
            number = value.number_value
            return str(int(number)) if number.is_integer() else str(number)
        case _:
            raise InvalidFieldError(
                field="media_ids", problem="must be a media id or a list of media ids"
            )


def _contradiction(alias: str, field: str) -> InvalidFieldError:
    return InvalidFieldError(field=alias, problem=f"stands for {field} and differs from it")
