"""The handler table: gRPC method path -> one wrapped coroutine, made once at start.

Both hosts serve this table. A wrapped method takes the request's bytes (or an iterator of them)
and a `Call`, and gives the reply's bytes (or an iterator of them); what it raises is a `Failure`.
Servicers are plain objects with one coroutine (or async generator) per RPC, in snake_case; a
reply may be a message or its serialized bytes, which then pass through untouched.
"""

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from .call import Call
from .errors import MalformedRequestError, NotImplementedYetError
from .guard import Gate, Guard
from .policy import Policy
from .telemetry import MethodMetrics, RpcMetrics


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


def build_table(
    servicers: Mapping[ServiceDescriptor, object],
    *,
    policy: Policy,
    metrics: RpcMetrics,
    gate: Gate,
) -> Table:
    """The table of every method of the servicers' services.

    A contract's method that the servicer lacks answers UNIMPLEMENTED; a servicer's public
    coroutine that is no method of the contract is a mistake and refused here.
    """
    table: dict[str, Method] = {}
    for service, servicer in servicers.items():
        names = {snake_case(method.name) for method in service.methods}
        extra = [n for n in vars(type(servicer)) if not n.startswith("_") and n not in names]
        if extra:
            raise TypeError(f"{type(servicer).__name__} has {extra}, no methods of {service.name}")
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            table[path] = _wrap(path, method, servicer, gate, policy, metrics.of(path))
    return table


def snake_case(name: str) -> str:
    """`BatchGetTweets` -> `batch_get_tweets`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _wrap(
    path: str,
    method: MethodDescriptor,
    servicer: object,
    gate: Gate,
    policy: Policy,
    metrics: MethodMetrics,
) -> Method:
    kind = Kind((method.client_streaming, method.server_streaming))
    request_class = message_factory.GetMessageClass(method.input_type)
    handler = getattr(servicer, snake_case(method.name), None) or _unimplemented(kind)
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
        async with Guard(call, gate, metrics):
            authorize(call)
            return _encode(await handler(read(raw), call))

    async def stream(raw: Any, call: Call) -> AsyncGenerator[bytes, None]:
        async with Guard(call, gate.streams, metrics):
            authorize(call)
            async with contextlib.aclosing(handler(read(raw), call)) as replies:
                async for reply in replies:
                    yield _encode(reply)

    if kind.streams_replies:
        return Method(path, kind, None, stream)
    return Method(path, kind, unary, None)


def _encode(reply: Message | bytes) -> bytes:
    return reply if isinstance(reply, bytes) else reply.SerializeToString()


def _unimplemented(kind: Kind) -> Callable[[Any, Call], Any]:
    async def unary(_request: object, call: Call) -> bytes:
        raise NotImplementedYetError(method=call.method)

    async def stream(_request: object, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedYetError(method=call.method)
        yield b""

    return stream if kind.streams_replies else unary
