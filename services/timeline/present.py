"""Step 4: a page's bytes, joined from ready pieces: frames, or for REST their JSON.

Home and user timeline answers have the same fields: 1 tweets, 2 users, 3 viewer, 4 token.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from aviary.timeline.v1.timeline_service_pb2 import GetHomeTimelineResponse
from clients.wire import frame, tag_of
from services.chassis.call import Call, Json
from services.chassis.json_rendering import render
from services.chassis.viewers import Engaged

TWEET, NEXT_PAGE_TOKEN = tag_of(1), tag_of(4)
USERS_FIELD = 2
VIEWER = tag_of(3)

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
    token = next_page_token.encode()
    if call.takes_json:
        shown = b",".join(map(_tweet_json, tweets))
        known = b",".join(map(_user_json, users))
        end = _JSON_END % (_json_ids(viewer.favorited), _json_ids(viewer.retweeted), token)
        return Json(b'{"tweets":[' + shown + b'],"users":[' + known + end)
    end = frame(NEXT_PAGE_TOKEN, token) if token else b""
    return b"".join([*tweets, *users, frame(VIEWER, viewer.message()), end])


def _json_ids(ids: Sequence[int]) -> bytes:
    return b",".join(b'"%d"' % number for number in ids)


@lru_cache(MAX_FRAGMENTS)
def _tweet_json(tweet: bytes) -> bytes:
    return render(GetHomeTimelineResponse.FromString(tweet).tweets[0])


@lru_cache(MAX_FRAGMENTS)
def _user_json(user: bytes) -> bytes:
    return render(GetHomeTimelineResponse.FromString(user).users[0])
