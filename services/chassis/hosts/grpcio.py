"""The second host: `grpc.aio.server` with generic handlers over the same table.

For platforms where the Envoy module cannot load, for debuggers, and as the yardstick.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
import uvloop

from ..call import Call
from ..config import Settings
from ..errors import UnknownMethodError
from ..handlers import Method, Table
from ..server import Compose, Server, open_server
from ..status import Failure, failure_of
from .framing import MAX_MESSAGE_BYTES
from .process import QUIT_SECONDS

OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    # Our clients ping every second (clients/channel.py), also when a stream is silent.
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
)
DRAIN_DELAY = 1.0
"""Seconds between NOT_SERVING and the first refused connection, for balancers to notice."""
log = structlog.get_logger()


class TableHandler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in stubs only
    """Finds a method's handler in the table."""

    def __init__(self, table: Table) -> None:
        self._handlers = {path: _handler(method) for path, method in table.items()}

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """The handler of one path; an unknown one explains itself."""
        return self._handlers.get(details.method) or _unknown(details.method)


async def run(name: str, compose: Compose, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with open_server(name, compose, settings) as server:
        listener = await listen(server, f"{settings.bind_address}:{settings.grpc_port}")
        await stop.wait()
        _watchdog(settings.drain_seconds)
        server.drain()
        await asyncio.sleep(min(DRAIN_DELAY, settings.drain_seconds))
        await listener.stop(settings.drain_seconds)


def _watchdog(grace: float) -> None:
    """End the process by force when an orderly end takes too long: asyncio may hang at exit."""
    timer = threading.Timer(DRAIN_DELAY + grace + QUIT_SECONDS, os._exit, [1])
    timer.daemon = True
    timer.start()


async def listen(server: Server, address: str) -> grpc.aio.Server:
    """A started listener for a server's table."""
    listener = grpc.aio.server(options=OPTIONS, compression=grpc.Compression.NoCompression)
    listener.add_generic_rpc_handlers((TableHandler(server.table),))
    listener.add_insecure_port(address)
    await listener.start()
    return listener


def start(name: str, compose: Compose, settings: Settings) -> int:
    """Run the host in this process; the exit code."""
    uvloop.run(run(name, compose, settings))
    return 0


def _handler(method: Method) -> "grpc.RpcMethodHandler[bytes, bytes]":
    if method.unary is not None:
        unary = _unary(method.path, method.unary)
        if method.kind.streams_requests:
            return grpc.stream_unary_rpc_method_handler(unary)
        return grpc.unary_unary_rpc_method_handler(unary)
    assert method.stream is not None
    stream = _stream(method.path, method.stream)
    if method.kind.streams_requests:
        return grpc.stream_stream_rpc_method_handler(stream)
    return grpc.unary_stream_rpc_method_handler(stream)


def _unary(
    path: str, serve: Callable[[Any, Call], Awaitable[bytes]]
) -> Callable[..., Awaitable[bytes]]:
    async def handle(raw: Any, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        call = _call(path, context)
        try:
            reply = await serve(raw, call)
        except Failure as failure:
            await _send_initial(call, context)
            _fail(call, context, failure)
            # Returning would send a message beside the status, which a transcoder takes for the
            # answer.
            await context.abort(failure.code, failure.message)
        await _send_initial(call, context)
        context.set_trailing_metadata(_pairs(call.trailing))
        return reply

    return handle


def _stream(path: str, serve: Callable[[Any, Call], AsyncIterator[bytes]]) -> Callable[..., Any]:
    async def handle(raw: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        call = _call(path, context)
        started = False
        try:
            async for reply in serve(raw, call):
                if not started:
                    await _send_initial(call, context)
                    started = True
                yield reply
        except Failure as failure:
            _fail(call, context, failure)
            return
        context.set_trailing_metadata(_pairs(call.trailing))

    return handle


def _call(path: str, context: "grpc.aio.ServicerContext[Any, Any]") -> Call:
    headers = {
        name.encode(): value if isinstance(value, bytes) else value.encode("latin-1")
        for name, value in context.invocation_metadata() or ()
    }
    left = context.time_remaining()
    deadline = None if left is None or left > 1e9 else time.monotonic() + left
    return Call(path, headers, deadline)


async def _send_initial(call: Call, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    if call.initial:
        await context.send_initial_metadata(_pairs(call.initial))


def _fail(call: Call, context: "grpc.aio.ServicerContext[Any, Any]", failure: Failure) -> None:
    details = [("grpc-status-details-bin", failure.details)] if failure.details else []
    context.set_trailing_metadata((*_pairs(call.trailing), *details))
    context.set_code(failure.code)
    context.set_details(failure.message)


def _pairs(metadata: list[tuple[bytes, bytes]]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (name.decode(), value if name.endswith(b"-bin") else value.decode("latin-1"))
        for name, value in metadata
    )


def _unknown(path: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
    async def refuse(_raw: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        call = Call(path, {}, None)
        failure = failure_of(UnknownMethodError(method=path), method=path, request_id="")
        _fail(call, context, failure)
        await context.abort(failure.code, failure.message)

    return grpc.unary_unary_rpc_method_handler(refuse)
