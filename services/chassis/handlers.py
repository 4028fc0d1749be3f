"""The handler table: gRPC method path -> one wrapped coroutine, made once at start.

Both hosts serve this table. A wrapped method takes the request's bytes (or an iterator of them)
and a `Call`, and gives the reply's bytes (or an iterator of them); what it raises is a `Failure`.
Servicers are plain objects with one coroutine (or async generator) per RPC, in snake_case; a
reply may be a message or its serialized bytes, which then pass through untouched.
"""

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from clients.tracing import Tracer

from .call import Call
from .errors import MalformedRequestError, NotImplementedYetError
from .guard import Gate, Guard
from .policy import Policy
from .telemetry import RpcMetrics

UNTRACED = ("/grpc.", "/aviary.events.")
"""Prefixes of what is called all the time, or for ever, and for nobody in particular."""


class Kind(Enum):
    """Shape of a method: what streams."""

    UNARY = (False, False)
    SERVER_STREAM = (False, True)
    CLIENT_STREAM = (True, False)
    BIDI_STREAM = (True, True)

    @property
    def streams_requests(self) -> bool:
        """Whether the client sends a stream."""
        return self.value[0]

    @property
    def streams_replies(self) -> bool:
        """Whether the server sends a stream."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the table: exactly one of `unary` and `stream` is set, by what is answered."""

    path: str
    kind: Kind
    unary: Callable[[Any, Call], Awaitable[bytes]] | None
    stream: Callable[[Any, Call], AsyncGenerator[bytes, None]] | None


Table = Mapping[str, Method]
Handler = Callable[[Any, Call], Any]
"""A servicer's method: an answer, or for a stream an iterator of them."""


def build_table(
    servicers: Mapping[ServiceDescriptor, object],
    *,
    policy: Policy,
    metrics: RpcMetrics,
    gate: Gate,
    tracer: Tracer | None = None,
) -> Table:
    """The table of every method of the servicers' services.

    A servicer may be a tuple of parts, which share the methods. A contract's method that no part
    has answers UNIMPLEMENTED; a public attribute that is no method of the contract, or that two
    parts have, is a mistake and refused here.
    """
    table: dict[str, Method] = {}
    for service, servicer in servicers.items():
        handlers = _handlers(service, servicer if isinstance(servicer, tuple) else (servicer,))
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            handler = handlers.get(snake_case(method.name))
            seen_by = None if path.startswith(UNTRACED) else tracer
            guard = partial(Guard, metrics=metrics.of(path), tracer=seen_by)
            table[path] = _wrap(path, method, handler, guard, gate, policy)
    return table


def _handlers(service: ServiceDescriptor, parts: Sequence[object]) -> dict[str, Handler]:
    names = {snake_case(method.name) for method in service.methods}
    found: dict[str, Handler] = {}
    for part in parts:
        extra = [n for n in vars(type(part)) if not n.startswith("_") and n not in names]
        mine = {name: getattr(part, name) for name in names if hasattr(part, name)}
        if extra := extra + [name for name in mine if name in found]:
            raise TypeError(f"{type(part).__name__} has {extra}, not of {service.name} or twice")
        found |= mine
    return found


def snake_case(name: str) -> str:
    """`BatchGetTweets` -> `batch_get_tweets`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _wrap(
    path: str,
    method: MethodDescriptor,
    handler: Handler | None,
    guard: Callable[[Call, Gate], Guard],
    gate: Gate,
    policy: Policy,
) -> Method:
    kind = Kind((method.client_streaming, method.server_streaming))
    request_class = message_factory.GetMessageClass(method.input_type)
    handler = handler or _unimplemented(kind)
    authorize = policy.authorizer(path)

    def decode(raw: bytes) -> Message:
        try:
            return request_class.FromString(raw)
        except DecodeError:
            raise MalformedRequestError(message=method.input_type.full_name) from None

    async def decode_stream(raw: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for item in raw:
            yield decode(item)

    # mypy cannot follow a callable chosen by a flag; the two decoders differ in their argument.
    read: Any = decode_stream if kind.streams_requests else decode

    async def unary(raw: Any, call: Call) -> bytes:
        async with guard(call, gate):
            authorize(call)
            return _encode(await handler(read(raw), call))

    async def stream(raw: Any, call: Call) -> AsyncGenerator[bytes, None]:
        async with guard(call, gate.streams):
            authorize(call)
            async with contextlib.aclosing(handler(read(raw), call)) as replies:
                async for reply in replies:
                    yield _encode(reply)

    if kind.streams_replies:
        return Method(path, kind, None, stream)
    return Method(path, kind, unary, None)


def _encode(reply: Message | bytes) -> bytes:
    return reply if isinstance(reply, bytes) else reply.SerializeToString()


def _unimplemented(kind: Kind) -> Handler:
    async def unary(_request: object, call: Call) -> bytes:
        raise NotImplementedYetError(method=call.method)

    async def stream(_request: object, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedYetError(method=call.method)
        yield b""

    return stream if kind.streams_replies else unary
