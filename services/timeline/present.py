"""Step 4: a page's bytes, joined from ready pieces: frames, or for REST their JSON."""

from collections.abc import Iterable
from functools import lru_cache

from aviary.timeline.v1.timeline_service_pb2 import GetHomeTimelineResponse
from services.chassis.call import Call, Json
from services.chassis.json_rendering import render
from services.chassis.tweet_page import Engaged, tweet_page

MAX_FRAGMENTS = 100_000
"""JSON texts kept of each kind, some 100 MB of tweets. They never age: the key is the content."""
_JSON_END = (
    b'],"viewer":{"favorited_tweet_ids":[%b],"retweeted_tweet_ids":[%b]},"next_page_token":"%b"}'
)


def page(
    tweets: Iterable[bytes],
    users: Iterable[bytes],
    viewer: Engaged,
    next_page_token: str,
    call: Call,
) -> bytes:
    """A serialized answer made of frames, or the same as JSON where the call takes it."""
    if not call.takes_json:
        return tweet_page(tweets, users, viewer, next_page_token)
    shown = b",".join(map(_tweet_json, tweets))
    known = b",".join(map(_user_json, users))
    ids = _json_ids(viewer.favorited), _json_ids(viewer.retweeted)
    end = _JSON_END % (*ids, next_page_token.encode())
    return Json(b'{"tweets":[' + shown + b'],"users":[' + known + end)


def _json_ids(ids: Iterable[int]) -> bytes:
    return b",".join(b'"%d"' % number for number in ids)


@lru_cache(MAX_FRAGMENTS)
def _tweet_json(tweet: bytes) -> bytes:
    return render(GetHomeTimelineResponse.FromString(tweet).tweets[0])


@lru_cache(MAX_FRAGMENTS)
def _user_json(user: bytes) -> bytes:
    return render(GetHomeTimelineResponse.FromString(user).users[0])
