"""A connection to one service: deadlines, what is handed on, and errors as `PeerError`."""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
from google.protobuf.message import Message

from .context import Origin, current
from .errors import PeerError
from .tracing import Kind, Span, Trace, Tracer, is_sampled, parent_of, replaced

MAX_MESSAGE_BYTES = 32 << 20
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A replica that hangs keeps its connections: without pings half of the calls would wait for it.
    # It is found before the edge tries a read again (services/edge/routes.py).
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_000),
    ("grpc.http2.ping_timeout_ms", 1_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # One layer retries, and it is the edge.
    ("grpc.enable_retries", 0),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)
Reply = TypeVar("Reply")


class Peer:
    """One service; an async context manager that owns the channel.

    The address is any that gRPC resolves, or `NAME@ADDRESS`: a proxy there, asked for NAME.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        asked, _, target = address.rpartition("@")
        options = (*_OPTIONS, ("grpc.default_authority", asked)) if asked else _OPTIONS
        self._channel = grpc.aio.insecure_channel(target, options=options)

    async def __aenter__(self) -> Self:
        """The channel connects by itself when it is first used."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the channel; calls in flight are cancelled."""
        await self._channel.close(None)

    def unary(self, path: str, reply: "type[Reply]") -> "UnaryMethod[Reply]":
        """A unary method; `reply` is the message class, or `bytes` to take the reply unread."""
        return UnaryMethod(self.name, path, self._channel, reply)

    def server_stream(
        self, path: str, reply: "type[Reply]"
    ) -> Callable[..., AsyncGenerator[Reply, None]]:
        """A server-streaming method, called with the request and an optional timeout."""
        method = self._channel.unary_stream(path, _serialize, _reader(reply))

        async def call(
            request: Message,
            *,
            timeout: float | None = None,  # noqa: ASYNC109 - handed to grpcio
            metadata: tuple[tuple[str, str], ...] = (),
        ) -> AsyncGenerator[Reply, None]:
            with _calling(self.name, path) as handed_on:
                stream = method(request, timeout=timeout, metadata=(*handed_on, *metadata))
                async for item in stream:
                    yield item

        return call

    def client_stream(self, path: str, reply: "type[Reply]") -> Callable[..., Awaitable[Reply]]:
        """A client-streaming method, called with an async iterator of requests."""
        method = self._channel.stream_unary(path, _serialize, _reader(reply))

        async def call(
            requests: AsyncIterator[Message],
            *,
            timeout: float | None = None,  # noqa: ASYNC109 - handed to grpcio
            metadata: tuple[tuple[str, str], ...] = (),
        ) -> Reply:
            with _calling(self.name, path) as handed_on:
                answer: Reply = await method(
                    requests, timeout=timeout, metadata=(*handed_on, *metadata)
                )
                return answer

        return call

    def bidi_stream(self, path: str, reply: "type[Reply]") -> Callable[..., AsyncIterator[Reply]]:
        """A bidirectional method, called with an async iterator of requests."""
        method = self._channel.stream_stream(path, _serialize, _reader(reply))

        async def call(
            requests: AsyncIterator[Message],
            *,
            timeout: float | None = None,  # noqa: ASYNC109 - handed to grpcio
        ) -> AsyncIterator[Reply]:
            with _calling(self.name, path) as handed_on:
                stream = method(requests, timeout=timeout, metadata=handed_on)
                async for item in stream:
                    yield item

        return call


class UnaryMethod(Generic[Reply]):
    """A unary method of a peer, ready to be called."""

    def __init__(
        self, peer: str, path: str, channel: grpc.aio.Channel, reply: "type[Reply]"
    ) -> None:
        self._peer = peer
        self._path = path
        self._call: Callable[..., Awaitable[Reply]] = channel.unary_unary(
            path, _serialize, _reader(reply)
        )

    async def __call__(
        self,
        request: Message,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - handed to grpcio
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        """Call it within the served call's deadline (5 s where there is none)."""
        origin = current.get()
        with _calling(self._peer, self._path) as handed_on:
            return await self._call(
                request,
                timeout=timeout if timeout is not None else origin.timeout(),
                metadata=(*handed_on, *metadata),
            )


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that acts for a token's user; none without a token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _reader(reply: Any) -> "Callable[[bytes], Any] | None":
    return None if reply is bytes else reply.FromString


@contextlib.contextmanager
def _calling(peer: str, path: str) -> Iterator[Trace]:
    """A call: what is handed on with it, its failure as `PeerError`, its span where it has one."""
    origin = current.get()
    span = None if origin.tracer is None else _span(origin, origin.tracer, peer, path[1:])
    code = grpc.StatusCode.CANCELLED
    try:
        yield origin.metadata if span is None else replaced(origin.metadata, span.traceparent)
        code = grpc.StatusCode.OK
    except grpc.aio.AioRpcError as error:
        code = error.code()
        raise PeerError.of(peer, error) from None
    except GeneratorExit:  # whoever reads a stream has enough of it
        code = grpc.StatusCode.OK
        raise
    finally:
        if span is not None:
            span.end(code)


def _span(origin: Origin, tracer: Tracer, peer: str, method: str) -> Span | None:
    parent = parent_of(origin.trace)
    if not (is_sampled(parent) or origin.links):
        return None
    attributes: dict[str, str | int] = {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "server.address": peer,
    }
    return tracer.start(method, Kind.CLIENT, parent, origin.links, attributes)
