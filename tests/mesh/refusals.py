"""What is refused, as data: a call, how REST and gRPC must answer it, and the field at fault."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from aviary.graph.v1 import graph_service_pb2 as graph
from aviary.timeline.v1 import timeline_service_pb2 as timeline
from aviary.tweet.v1 import tweet_service_pb2 as tweet

TWEET, GRAPH, TIMELINE = (
    "/aviary.tweet.v1.TweetService/",
    "/aviary.graph.v1.GraphService/",
    "/aviary.timeline.v1.TimelineService/",
)
ABSENT = 9_000_000_000


@dataclass(frozen=True)
class Refusal:
    """One bad request; `{me}`, `{other}` and `{name}` in texts are filled in when it is made."""

    name: str
    http: tuple[str, str]
    """Verb and path."""
    status: int
    reason: str
    at: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | str | None = None
    rpc: tuple[str, Message] | None = None
    """gRPC path and request; none for what only REST can express."""
    token: str = "mine"
    """`mine`, `none`, `broken`."""


def status(text: str) -> dict[str, Any]:
    return {"status": text}


def post(
    name: str, reason: str, at: str, body: Mapping[str, Any], code: int, **rpc: Any
) -> Refusal:
    request = tweet.CreateTweetRequest(**rpc)
    return Refusal(
        name,
        ("POST", "/api/v1/tweet"),
        code,
        reason,
        at,
        body=body,
        rpc=(TWEET + "CreateTweet", request),
    )


def home(
    name: str, reason: str, at: str, query: Mapping[str, str], code: int, **rpc: Any
) -> Refusal:
    request = timeline.GetHomeTimelineRequest(**rpc)
    return Refusal(
        name,
        ("GET", "/api/v1/home_timeline"),
        code,
        reason,
        at,
        query=query,
        rpc=(TIMELINE + "GetHomeTimeline", request),
    )


REFUSALS = [
    post("empty status", "STATUS_EMPTY", "status", status(""), 400, status=""),
    post("status of spaces", "STATUS_EMPTY", "status", status("  \n "), 400, status="  \n "),
    post("281 characters", "STATUS_TOO_LONG", "status", status("x" * 281), 400, status="x" * 281),
    post(
        "unknown reply target", "REPLY_TARGET_NOT_FOUND", "in_reply_to_tweet_id",
        {"status": "hi", "in_reply_to_tweet_id": str(ABSENT)}, 404,
        status="hi", in_reply_to_tweet_id=ABSENT,
    ),
    post(
        "unknown media", "MEDIA_NOT_FOUND", "media_ids", {"status": "hi", "media_ids": "ABC987"}, 400,
        status="hi", media_ids={"string_value": "ABC987"},
    ),
    post(
        "eleven tags", "MEDIA_TAG_LIMIT", "media_tags",
        {"status": "hi", "media_tags": [f"@u{number}" for number in range(11)]}, 400,
        status="hi", media_tags=[f"@u{number}" for number in range(11)],
    ),
    post(
        "a tag without a photo", "MEDIA_TAG_NEEDS_PHOTO", "media_tags",
        {"status": "hi", "media_tags": ["bob"]}, 400, status="hi", media_tags=["bob"],
    ),
    post(
        "a tag that can be nobody's", "USER_NOT_FOUND", "media_tags",
        {"status": "hi", "media_tags": ["no such"]}, 404, status="hi", media_tags=["no such"],
    ),
    Refusal(
        "no list of tags", ("POST", "/api/v1/tweet"), 400, "MALFORMED_REQUEST",
        body={"status": "hi", "media_tags": {"user": "bob"}},
    ),
    Refusal(
        "another's tag", ("DELETE", f"/api/v1/tweets/{ABSENT}/media_tags/{{other}}"), 403,
        "ACTING_FOR_OTHER_USER",
        rpc=(TWEET + "RemoveMediaTag", tweet.RemoveMediaTagRequest(tweet_id=ABSENT, user_id="{other}")),
    ),
    Refusal(
        "a tag of no tweet", ("DELETE", f"/api/v1/tweets/{ABSENT}/media_tags/me"), 404, "TWEET_NOT_FOUND",
        rpc=(TWEET + "RemoveMediaTag", tweet.RemoveMediaTagRequest(tweet_id=ABSENT, user_id="me")),
    ),
    post(
        "posting for another", "ACTING_FOR_OTHER_USER", "user_id", {"user_id": "{other}", "status": "x"},
        403, user_id="{other}", status="x",
    ),
    Refusal(
        "broken token in the body", ("POST", "/api/v1/tweet"), 401, "TOKEN_INVALID",
        body={"status": "x", "auth_token": "ABC123"}, token="none",
        rpc=(TWEET + "CreateTweet", tweet.CreateTweetRequest(status="x", auth_token="ABC123")),
    ),
    Refusal(
        "post without token", ("POST", "/api/v1/tweet"), 401, "UNAUTHENTICATED", body=status("x"),
        token="none", rpc=(TWEET + "CreateTweet", tweet.CreateTweetRequest(status="x")),
    ),
    Refusal(
        "broken token", ("GET", "/api/v1/home_timeline"), 401, "TOKEN_INVALID", token="broken",
        rpc=(TIMELINE + "GetHomeTimeline", timeline.GetHomeTimelineRequest()),
    ),
    Refusal(
        "home without token", ("GET", "/api/v1/home_timeline"), 401, "UNAUTHENTICATED", token="none",
        rpc=(TIMELINE + "GetHomeTimeline", timeline.GetHomeTimelineRequest()),
    ),
    home("negative page", "PAGE_SIZE_NEGATIVE", "page_size", {"page_size": "-1"}, 400, page_size=-1),
    home("nonsense token", "PAGE_TOKEN_INVALID", "page_token", {"page_token": "abc"}, 400, page_token="abc"),
    home(
        "another's home", "ACTING_FOR_OTHER_USER", "user_id", {"user_id": "{other}"}, 403,
        user_id="{other}",
    ),
    home("no user id", "INVALID_ARGUMENT", "user_id", {"user_id": "xyz"}, 400, user_id="xyz"),
    Refusal(
        "self-follow", ("PUT", "/api/v1/users/me/following/{me}"), 400, "SELF_FOLLOW", "target_user_id",
        rpc=(GRAPH + "Follow", graph.FollowRequest(user_id="me", target_user_id=-1)),
    ),
    Refusal(
        "follow nobody", ("PUT", f"/api/v1/users/me/following/{ABSENT}"), 404, "USER_NOT_FOUND",
        rpc=(GRAPH + "Follow", graph.FollowRequest(user_id="me", target_user_id=ABSENT)),
    ),
    Refusal(
        "unknown user", ("GET", f"/api/v1/users/{ABSENT}"), 404, "USER_NOT_FOUND",
        rpc=(GRAPH + "GetUser", graph.GetUserRequest(user_id=str(ABSENT))),
    ),
    Refusal(
        "unknown author", ("GET", "/api/v1/user_timeline"), 404, "USER_NOT_FOUND",
        query={"user_id": str(ABSENT)},
        rpc=(TIMELINE + "GetUserTimeline", timeline.GetUserTimelineRequest(user_id=str(ABSENT))),
    ),
    Refusal(
        "name taken in other case", ("POST", "/api/v1/users"), 409, "USER_NAME_TAKEN", "user_name",
        body={"user_name": "{NAME}", "password": "long enough"},
        rpc=(GRAPH + "CreateUser", graph.CreateUserRequest(user_name="{NAME}", password="long enough")),
    ),
    Refusal(
        "unknown tweet", ("GET", f"/api/v1/tweets/{ABSENT}"), 404, "TWEET_NOT_FOUND",
        rpc=(TWEET + "GetTweet", tweet.GetTweetRequest(tweet_id=ABSENT)),
    ),
    Refusal(
        "operators only", ("POST", "/api/v1/admin/home_timelines/{me}:rebuild"), 403, "SCOPE_MISSING",
        body={},
        rpc=(TIMELINE + "RebuildHomeTimeline", timeline.RebuildHomeTimelineRequest(user_id=1)),
    ),
    Refusal(
        "unknown favourite", ("PUT", f"/api/v1/tweets/{ABSENT}/favorites/me"), 404, "TWEET_NOT_FOUND",
        rpc=(TWEET + "FavoriteTweet", tweet.FavoriteTweetRequest(tweet_id=ABSENT, user_id="me")),
    ),
    Refusal(
        "liking for somebody else", ("PUT", f"/api/v1/tweets/{ABSENT}/favorites/{{other}}"), 403,
        "ACTING_FOR_OTHER_USER",
        rpc=(TWEET + "FavoriteTweet", tweet.FavoriteTweetRequest(tweet_id=ABSENT, user_id="{other}")),
    ),
    Refusal(
        "unknown retweet", ("PUT", f"/api/v1/tweets/{ABSENT}/retweets/me"), 404, "TWEET_NOT_FOUND",
        rpc=(TWEET + "Retweet", tweet.RetweetRequest(tweet_id=ABSENT, user_id="me")),
    ),
    Refusal(
        "unknown thread", ("GET", f"/api/v1/tweets/{ABSENT}/conversation"), 404, "TWEET_NOT_FOUND",
        rpc=(TWEET + "GetConversation", tweet.GetConversationRequest(tweet_id=ABSENT)),
    ),
    Refusal(
        "unknown moment", ("GET", f"/api/v1/moments/{ABSENT}"), 404, "MOMENT_NOT_FOUND",
        rpc=(TWEET + "GetMoment", tweet.GetMomentRequest(moment_id=ABSENT)),
    ),
    Refusal("bad JSON", ("POST", "/api/v1/tweet"), 400, "MALFORMED_REQUEST", body='{"status": '),
    Refusal("unknown path", ("GET", "/api/v1/nope"), 404, "UNKNOWN_PATH"),
    Refusal(
        "unknown query parameter", ("GET", "/api/v1/home_timeline"), 400, "MALFORMED_REQUEST",
        query={"bogus": "1"},
    ),
    Refusal(
        "body of 64 KiB", ("POST", "/api/v1/tweet"), 413, "REQUEST_TOO_LARGE",
        body=status("x" * 65_536),
    ),
]  # fmt: skip
