"""Routes: one per gRPC method, made from the policy table; everything else is denied.

REST and native gRPC meet here: the transcoder has turned REST into gRPC before a route is chosen.
"""

from collections.abc import Container, Iterable
from typing import Any

from .contract import Method
from .quotas import route_metadata
from .replies import INTERNAL_METHOD, details_header

SECONDS = {"read": 5, "stream": 0}
"""Most seconds that a call may take, by quota; 0 is no limit."""
DEFAULT_SECONDS = 10
MOVING_SECONDS, RESTING_SECONDS = 600, 30
"""Most seconds that bytes of media may take on their way, and that they may rest on it."""
TRY_LIMIT = "2.8s"
"""After that a read is tried at another replica: this one may hang."""
NOT_SENT = "connect-failure,refused-stream,reset-before-request"
"""Failures after which the service has not seen the call, so that any call may be repeated."""
OFF = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
BUFFER = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute"
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
ENABLED = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
UPLOADS, CONTENT = "/api/v1/media", "/media/"
"""Where the bytes of media come in, and from where they are served."""


def routes(
    methods: Iterable[Method],
    internal: Iterable[str],
    *,
    page: str,
    openapi: str,
    divided: Container[str] = (),
) -> list[dict[str, Any]]:
    """The edge's route table; the last route is the denial of what no other names.

    Of the `divided` services, writes have replicas of their own.
    """
    return [
        document("/", page, "text/html; charset=utf-8", csp=CSP),
        document("/api/v1/openapi.json", openapi, "application/json"),
        *media(),
        *(served(method, divided) for method in methods if not method.internal),
        *(denied(path) for path in sorted(internal)),
        {
            "match": {"prefix": "/"},
            "metadata": route_metadata("read"),
            "direct_response": {"status": 404},
        },
    ]


def media() -> list[dict[str, Any]]:
    """Routes that a request for media has until it is transcoded: filters are chosen by them.

    What is no call of the contract stays on them, and is not there.
    """
    nothing = {"metadata": route_metadata("read"), "direct_response": {"status": 404}}
    return [
        # Its `transcoder` is put in by `render`: the same, but for the size of a body's pieces.
        {"match": {"path": UPLOADS}, **nothing, "typed_per_filter_config": {}},
        {
            "match": {"prefix": CONTENT},
            **nothing,
            "typed_per_filter_config": {"content_status": ENABLED},
        },
    ]


def document(path: str, file: str, kind: str, csp: str = "") -> dict[str, Any]:
    """A route to a file that is read at start; the filters of the API are not for it."""
    headers = {"content-type": kind, "cache-control": "public, max-age=60"}
    if csp:
        headers["content-security-policy"] = csp
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}],
        },
        "direct_response": {"status": 200, "body": {"filename": file}},
        "response_headers_to_add": [_header(*pair) for pair in headers.items()],
        "typed_per_filter_config": {"transcoder": OFF, "quotas": OFF},
    }


def denied(path: str) -> dict[str, Any]:
    """The refusal of an internal method; it can only be asked for as native gRPC."""
    details = details_header(INTERNAL_METHOD, {"method": path})
    return {
        "match": {"path": path},
        "metadata": route_metadata("read"),
        "direct_response": {"status": INTERNAL_METHOD.status},
        "response_headers_to_add": [_header(*details)],
    }


def served(method: Method, divided: Container[str] = ()) -> dict[str, Any]:
    """The way to a method's service, with its time limit, its quota and what may be retried."""
    apart = method.cluster in divided and not method.reads
    bulk = method.streams and method.rule.quota in {"read", "upload"}
    seconds = MOVING_SECONDS if bulk else SECONDS.get(method.rule.quota, DEFAULT_SECONDS)
    limit = f"{seconds}s"
    route: dict[str, Any] = {
        "match": {"path": method.path},
        "metadata": route_metadata(method.rule.quota),
        "route": {
            "cluster": writing(method.cluster) if apart else method.cluster,
            "timeout": "0s",
            # The service gets this, or the caller's own deadline where it is nearer, as
            # `grpc-timeout`; it gives up a little earlier, and can say what took too long.
            "max_stream_duration": {"max_stream_duration": limit, "grpc_timeout_header_max": limit},
            "retry_policy": _retries(method),
        },
    }
    if method.streams:
        # What is open for long must not use up the room of what is short.
        route["route"] |= {
            "priority": "HIGH",
            "idle_timeout": f"{RESTING_SECONDS if bulk else 300}s",
        }
        route["typed_per_filter_config"] = {"body_limit": {"@type": BUFFER, "disabled": True}}
    return route


def writing(cluster: str) -> str:
    """The cluster of a service's replicas for writes."""
    return f"{cluster}-write"


def _retries(method: Method) -> dict[str, Any]:
    """The mesh's one layer of retries: reads; of writes only what never reached the service."""
    read = method.rule.quota == "read"
    limit = {"per_try_timeout": TRY_LIMIT} if read and not method.streams else {}
    return {
        **limit,
        "retry_on": f"{NOT_SENT},unavailable,reset" if read else NOT_SENT,
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                    ".PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }


def _header(key: str, value: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
