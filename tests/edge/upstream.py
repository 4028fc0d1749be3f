"""Services behind the edge that do what the call's headers say, and remember what they saw."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from grpc import StatusCode

from aviary.graph.v1 import graph_service_pb2
from aviary.notify.v1 import notify_service_pb2
from aviary.search.v1 import search_service_pb2
from aviary.timeline.v1 import timeline_service_pb2
from aviary.tweet.v1 import tweet_service_pb2
from services.chassis.call import Call
from services.chassis.errors import ServiceError
from services.chassis.handlers import snake_case
from services.chassis.server import Runtime, Service

SERVICES: dict[str, ServiceDescriptor] = {
    "tweet": tweet_service_pb2.DESCRIPTOR.services_by_name["TweetService"],
    "graph": graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"],
    "timeline": timeline_service_pb2.DESCRIPTOR.services_by_name["TimelineService"],
    "search": search_service_pb2.DESCRIPTOR.services_by_name["SearchService"],
    "notify": notify_service_pb2.DESCRIPTOR.services_by_name["NotifyService"],
}


@dataclass
class Seen:
    """A call that reached a service."""

    method: str
    request: Any
    headers: dict[str, str]
    time_remaining: float | None


@dataclass
class Log:
    """Every call that reached a service, the newest last."""

    calls: list[Seen] = field(default_factory=list)

    @property
    def last(self) -> Seen:
        return self.calls[-1]


class Upstream:
    """Answers every method of one service; unary and streamed replies alike."""

    def __init__(self, descriptor: ServiceDescriptor, log: Log) -> None:
        self._methods = {snake_case(method.name): method for method in descriptor.methods}
        self._log = log

    def __getattr__(self, name: str) -> Any:
        method = self._methods[name]
        reply_class = message_factory.GetMessageClass(method.output_type)

        async def unary(request: Any, call: Call) -> Any:
            if method.client_streaming:
                request = [each async for each in request]
            await self._obey(request, call)
            return _reply(reply_class(), request, call)

        async def stream(request: Any, call: Call) -> AsyncIterator[Any]:
            await self._obey(request, call)
            for text in (b"id: 1\ndata: a\n\n", b"id: 2\ndata: b\n\n"):
                reply = reply_class()
                piece = getattr(reply, method.output_type.fields[0].name)
                piece.content_type, piece.data = "text/event-stream", text
                yield reply

        return stream if method.server_streaming else unary

    async def _obey(self, request: Any, call: Call) -> None:
        headers = {k.decode(): v.decode("latin-1") for k, v in call.headers.items()}
        self._log.calls.append(Seen(call.method, request, headers, call.time_remaining()))
        await asyncio.sleep(float(headers.get("test-sleep", 0)))
        if "test-reason" in headers:
            raise error_of(headers["test-reason"], StatusCode[headers["test-code"]])


def error_of(reason: str, code: StatusCode) -> ServiceError:
    """Any reason of the catalogue as a service raises it."""
    kind = type(
        "Raised", (ServiceError,), {"code": code, "reason": reason, "template": "it was {what}"}
    )
    error: ServiceError = kind(what='ä 100 % "wrong"', field="status")
    error.retry_after = 7.0 if code is StatusCode.RESOURCE_EXHAUSTED else None
    return error


def _reply(reply: Any, request: Any, call: Call) -> Any:
    match call.method.rpartition("/")[2]:
        case "CreateTweet":
            call.initial.append((b"location", b"http://aviary.test/tweets/987"))
            reply.tweet_id, reply.user_id, reply.status = 987, 123, request.status
            reply.created_at = "Wed Sep 05 00:37:15 +0000 2012"
        case "GetUserTimeline":
            for number in range(request.page_size):
                reply.tweets.add(tweet_id=number + 1, status="x" * 12_000)
        case "LookupUser":
            reply.user.user_name = request.user_name
    return reply


def compose_of(name: str, log: Log) -> Any:
    """The composition root of one such service."""

    @contextlib.asynccontextmanager
    async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
        yield Service({SERVICES[name]: Upstream(SERVICES[name], log)})

    return compose
