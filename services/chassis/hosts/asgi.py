"""The handler table as an ASGI application: gRPC over the HTTP/2 that Envoy speaks.

pyvoy calls this inside Envoy. Nothing may leave it as an exception: pyvoy would answer HTTP 500
instead of a gRPC status.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog

from ..call import Call, Json
from ..errors import (
    CancelledCallError,
    MalformedRequestError,
    ServiceError,
    UnavailableError,
    UnknownMethodError,
)
from ..handlers import Method, Table
from ..status import Failure, failure_of
from .framing import Headers, deadline_of, frame, status_headers, take_frame, wire_metadata

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

GRPC_HEADERS: Headers = [
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity,gzip"),
]
JSON_HEADERS: Headers = [(b"content-type", b"application/json")]
TRANSCODED = b"x-envoy-original-path"
"""What the edge's transcoder adds to a REST call; the edge takes it from its clients."""
OK_TRAILERS: Headers = [(b"grpc-status", b"0")]
FIRST_POLL, LAST_POLL = 0.1, 5.0
"""Seconds until a call's client is first asked whether it is still there, and at most."""
log = structlog.get_logger()


class RequestBody:
    """The messages that a client sends, read as they are wanted."""

    __slots__ = ("_buffer", "_encoding", "_receive", "ended", "gone", "read")

    def __init__(self, receive: Receive, encoding: bytes | None) -> None:
        self._receive = receive
        self._encoding = encoding
        self._buffer = b""
        self.ended = False
        self.gone = False
        """Whether the client was found to have left."""
        self.read = False
        """Whether nobody will ask for another message."""

    async def one(self) -> bytes:
        """The only message of a unary request."""
        message = await self._next()
        if message is None:
            raise MalformedRequestError(message="a gRPC message")
        self.read = True
        return message

    async def messages(self) -> AsyncIterator[bytes]:
        """The messages of a streamed request."""
        while (message := await self._next()) is not None:
            yield message

    async def client_gone(self) -> bool:
        """Whether the client has left; answers late while it may still send."""
        self.gone = bool((await self._receive())["type"] == "http.disconnect")
        return self.gone

    async def _next(self) -> bytes | None:
        while True:
            taken = take_frame(self._buffer, self._encoding)
            if taken is not None:
                message, self._buffer = taken
                return message
            if self.ended:
                self.read = True
                if self._buffer:
                    raise MalformedRequestError(message="a gRPC message")
                return None
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self.ended = self.read = True
                raise CancelledCallError
            self._buffer = self._buffer + event["body"] if self._buffer else event["body"]
            self.ended = not event.get("more_body", False)


class GrpcApplication:
    """Serves one table; `watch()` must run beside it to notice clients that have gone."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._calls: dict[asyncio.Task[Any], RequestBody] = {}
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        task = asyncio.current_task()
        assert task is not None
        method = self._table.get(scope["path"])
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not headers.get(b"content-type", b"").startswith(b"application/grpc"):
            await _refuse(send)
            return
        body = RequestBody(receive, headers.get(b"grpc-encoding"))
        call = Call(scope["path"], headers, None)
        self._calls[task] = body
        try:
            if method is None:
                raise UnknownMethodError(method=scope["path"])  # noqa: TRY301
            call.deadline = deadline_of(headers.get(b"grpc-timeout"))
            if method.unary is not None:
                call.takes_json = TRANSCODED in headers
                await _answer_unary(method, body, call, send)
            else:
                await _answer_stream(method, body, call, send)
        except asyncio.CancelledError:
            task.uncancel()
            if self.draining:
                await _send_failure(send, call, _drained(call))
            elif not body.gone:
                # The service itself gives up a client that does not read: pyvoy resets the stream.
                raise RuntimeError("the stream was cut off") from None
        except (Failure, ServiceError) as error:
            await _send_failure(send, call, _failure(error, call))
        except Exception as error:
            log.debug("reply not taken", method=call.method, why=repr(error))
        finally:
            del self._calls[task]

    def cancel_all(self) -> None:
        """End the calls that a drain would wait for too long."""
        for task in self._calls:
            task.cancel()

    async def watch(self) -> None:
        """Cancel the calls whose clients have gone; pyvoy tells only those who ask."""
        asked: dict[asyncio.Task[Any], tuple[float, float]] = {}
        while True:
            await asyncio.sleep(FIRST_POLL)
            now = time.monotonic()
            asked = {task: turn for task, turn in asked.items() if task in self._calls}
            for task, body in list(self._calls.items()):
                due, interval = asked.get(task, (now, FIRST_POLL))
                if now >= due and body.read:
                    asked[task] = (now + interval, min(2 * interval, LAST_POLL))
                    await self._cancel_if_gone(task, body)

    async def _cancel_if_gone(self, task: "asyncio.Task[Any]", body: RequestBody) -> None:
        try:
            async with asyncio.timeout(FIRST_POLL):
                if await body.client_gone() and task in self._calls:
                    task.cancel()
        except TimeoutError:
            return


async def _answer_unary(method: Method, body: RequestBody, call: Call, send: Send) -> None:
    assert method.unary is not None
    raw = body.messages() if method.kind.streams_requests else await body.one()
    reply = await method.unary(raw, call)
    if isinstance(reply, Json):
        await _send_json(send, call, reply)
        return
    await _start(send, call)
    await send({"type": "http.response.body", "body": frame(reply)})
    trailers = OK_TRAILERS + wire_metadata(call.trailing) if call.trailing else OK_TRAILERS
    await send({"type": "http.response.trailers", "headers": trailers})


async def _answer_stream(method: Method, body: RequestBody, call: Call, send: Send) -> None:
    assert method.stream is not None
    raw = body.messages() if method.kind.streams_requests else await body.one()
    started = False
    try:
        # Closed at once when the client has left, not when the collector finds it.
        async with contextlib.aclosing(method.stream(raw, call)) as replies:
            async for reply in replies:
                if not started:
                    await _start(send, call)
                    started = True
                await send({"type": "http.response.body", "body": frame(reply), "more_body": True})
        trailers = OK_TRAILERS
    except (Failure, ServiceError) as error:
        if not started:
            raise
        failure = _failure(error, call)
        trailers = status_headers(failure.code, failure.message, failure.details)
    if not started:
        await _start(send, call)
    await send({"type": "http.response.body", "body": b""})
    trailers = trailers + wire_metadata(call.trailing)
    await send({"type": "http.response.trailers", "headers": trailers})


async def _start(send: Send, call: Call) -> None:
    headers = GRPC_HEADERS + wire_metadata(call.initial) if call.initial else GRPC_HEADERS
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})


async def _send_json(send: Send, call: Call, reply: Json) -> None:
    """A reply that the edge's transcoder leaves as it is, because it is not gRPC."""
    headers = JSON_HEADERS + wire_metadata(call.initial)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(reply)})


async def _send_failure(send: Send, call: Call, failure: Failure) -> None:
    """A status without a message: the trailers travel as the only headers."""
    headers = GRPC_HEADERS + wire_metadata(call.initial + call.trailing)
    headers = headers + status_headers(failure.code, failure.message, failure.details)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    except Exception as error:
        log.debug("status not taken", method=call.method, why=repr(error))


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 415, "headers": headers})
    await send({"type": "http.response.body", "body": b"this port serves gRPC only\n"})


def _failure(error: Exception, call: Call) -> Failure:
    return failure_of(error, method=call.method, request_id=call.request_id)


def _drained(call: Call) -> Failure:
    return _failure(UnavailableError(resource="this replica"), call)
