"""Envoy's own replies in the shape of the services' errors, for REST and for native gRPC."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

DOMAIN = "aviary"
MAX_BODY_BYTES = 65535
"""The largest request but for uploads: 64 KiB are refused."""
EXPLAINED = "the request cannot be read. %LOCAL_REPLY_BODY%"
CAUSE = {"cause": "%RESPONSE_CODE_DETAILS%"}
PATH = "%REQ_WITHOUT_QUERY(x-envoy-original-path?:path)%"
VERB = "%REQ(x-envoy-original-method?:method)%"
REQUEST_ID = "%REQ(x-request-id)%"
RETRY_SECONDS = 1
TYPE_URL = "type.googleapis.com/"
WITHOUT_QUERY = {
    "name": "envoy.formatter.req_without_query",
    "typed_config": {
        "@type": f"{TYPE_URL}envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"
    },
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What Envoy says and what it becomes; in texts, Envoy's format commands.

    `status` is Envoy's own HTTP status, 0 any of at least `at_least`; `flags` narrows it to
    Envoy's response flags. `metadata` is for REST: for native gRPC the details are constant.
    """

    status: int
    code: StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    http: int = 0
    """HTTP status that REST callers get instead, 0 for Envoy's own."""
    flags: tuple[str, ...] = ()
    at_least: int = 0
    wait: bool = False
    """Whether waiting helps."""


# Sent to gRPC callers only, who see no HTTP status: 405 is one that Envoy itself never answers.
INTERNAL_METHOD = Reply(
    405, StatusCode.PERMISSION_DENIED, "INTERNAL_METHOD", "this method is for services only"
)
_BUSY = "the service has more calls in flight than it takes; try again shortly"
_TOO_LARGE = f"a request may hold at most {MAX_BODY_BYTES} bytes"
_LATE = "the call did not finish within its time"
_AWAY = "the service cannot be reached at the moment; try again shortly"
_NO_PATH = f"there is no {VERB} {PATH}; GET /api/v1/openapi.json lists what there is"
_SPENT = "the quota of this minute is used up; Retry-After says when to go on"
_TOKEN = "the token is invalid or has expired; create a session for a new one"  # noqa: S105
_BROKEN = f"an internal error occurred; quote request id {REQUEST_ID} when you report it"
_ASKED = {"path": PATH, "method": VERB}
_SERVICE = {"resource": "the service"}
_LIMIT = {"maximum_bytes": str(MAX_BODY_BYTES)}
_BAD, _LATE_CODE = StatusCode.INVALID_ARGUMENT, StatusCode.DEADLINE_EXCEEDED
_FULL = StatusCode.RESOURCE_EXHAUSTED

REPLIES = (
    Reply(
        503, _FULL, "OVERLOADED", _BUSY, {"resource": "the service"}, 429, ("UO", "OM"), wait=True
    ),
    Reply(400, _BAD, "MALFORMED_REQUEST", EXPLAINED, CAUSE),
    Reply(401, StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", _TOKEN),
    # Envoy's answer to a good token that is meant for somebody else.
    Reply(403, StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", _TOKEN, http=401),
    INTERNAL_METHOD,
    Reply(408, _LATE_CODE, "DEADLINE_EXCEEDED", _LATE, _ASKED, 504, ("DT",)),
    Reply(408, _LATE_CODE, "DEADLINE_EXCEEDED", _LATE, _ASKED),
    Reply(413, _BAD, "REQUEST_TOO_LARGE", _TOO_LARGE, _LIMIT),
    Reply(429, _FULL, "QUOTA_EXCEEDED", _SPENT, wait=True),
    Reply(431, _BAD, "REQUEST_TOO_LARGE", "the headers are more than 32 KiB or 100"),
    Reply(504, _LATE_CODE, "DEADLINE_EXCEEDED", _LATE, _ASKED),
    *(
        Reply(status, StatusCode.UNAVAILABLE, "UNAVAILABLE", _AWAY, wait=True)
        for status in (502, 503)
    ),
    Reply(0, StatusCode.INTERNAL, "INTERNAL", _BROKEN, {"request_id": REQUEST_ID}, at_least=500),
    Reply(0, _BAD, "MALFORMED_REQUEST", EXPLAINED, CAUSE, at_least=400),
)
UNKNOWN_PATH = Reply(404, StatusCode.NOT_FOUND, "UNKNOWN_PATH", _NO_PATH, _ASKED)
METHOD_UNKNOWN = Reply(
    404, StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", f"there is no method {PATH}"
)


def mappers() -> list[dict[str, Any]]:
    """Envoy's table of replies: the first that fits counts."""
    return [
        *(_grpc(reply) for reply in (METHOD_UNKNOWN, *REPLIES)),
        *(_rest(reply) for reply in (UNKNOWN_PATH, *REPLIES)),
    ]


def details_header(reply: Reply, metadata: Mapping[str, str]) -> tuple[str, str]:
    """The gRPC header that carries a reply's details, with metadata known beforehand."""
    info = error_details_pb2.ErrorInfo(reason=reply.reason, domain=DOMAIN, metadata=metadata)
    status = status_pb2.Status(code=reply.code.value[0], message=reply.message)
    _pack(status, info)
    if reply.wait:
        _pack(status, error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_SECONDS)))
    packed = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
    return "grpc-status-details-bin", packed


def _pack(status: status_pb2.Status, detail: Message) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


def _grpc(reply: Reply) -> dict[str, Any]:
    headers = {"grpc-status": str(reply.code.value[0])}
    if reply is not INTERNAL_METHOD:  # its routes have details of their own, naming the method
        known = {k: v for k, v in reply.metadata.items() if "%" not in v}
        headers |= [details_header(reply, known)]
    return {
        "filter": _all_of(*_conditions(reply), _NATIVE, _NOT_TRANSCODED),
        "headers_to_add": [_header(*pair) for pair in headers.items()],
        "body_format_override": _format({"text_format_source": {"inline_string": reply.message}}),
    }


def _rest(reply: Reply) -> dict[str, Any]:
    info = {
        "@type": f"{TYPE_URL}google.rpc.ErrorInfo",
        "reason": reply.reason,
        "domain": DOMAIN,
        "metadata": dict(reply.metadata),
    }
    retry = {"@type": f"{TYPE_URL}google.rpc.RetryInfo", "retry_delay": f"{RETRY_SECONDS}s"}
    body = {
        "code": reply.code.value[0],
        "message": reply.message,
        "details": [info, retry] if reply.wait else [info],
    }
    mapper: dict[str, Any] = {
        "filter": _all_of(*_conditions(reply)),
        "headers_to_add": [_header("retry-after", str(RETRY_SECONDS))] if reply.wait else [],
        "body_format_override": _format({"json_format": body, "content_type": "application/json"}),
    }
    return mapper | ({"status_code": reply.http} if reply.http else {})


def _format(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "formatters": [WITHOUT_QUERY]}


def _conditions(reply: Reply) -> Iterator[dict[str, Any]]:
    op, value = ("EQ", reply.status) if reply.status else ("GE", reply.at_least)
    comparison = {"op": op, "value": {"default_value": value, "runtime_key": "edge.none"}}
    yield {"status_code_filter": {"comparison": comparison}}
    if reply.flags:
        yield {"response_flag_filter": {"flags": list(reply.flags)}}


# A transcoded request has gRPC's content type too, and the path that it came with beside it.
_GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
_NATIVE = {"header_filter": {"header": _GRPC}}
_NOT_TRANSCODED = {
    "header_filter": {
        "header": {"name": "x-envoy-original-path", "present_match": True, "invert_match": True}
    }
}


def _all_of(*filters: dict[str, Any]) -> dict[str, Any]:
    return {"and_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0]


def _header(key: str, value: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
