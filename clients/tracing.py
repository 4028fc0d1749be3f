"""W3C trace context, and what spans need of whoever collects them."""

import re
import secrets
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Protocol, TypeAlias

import grpc

REQUEST_ID, TRACEPARENT = "x-request-id", "traceparent"
Trace: TypeAlias = tuple[tuple[str, str], ...]
"""The metadata by which a call is found again: request id and then traceparent, where given."""
_PARENT = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
_REQUEST = re.compile(
    "(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII
)
_PARENT_LENGTH = 55
_ODD = frozenset("13579bdf")


class Kind(Enum):
    """What a span is on its side of."""

    SERVER = auto()
    CLIENT = auto()
    CONSUMER = auto()
    INTERNAL = auto()


class Span(Protocol):
    """A piece of work that is timed."""

    @property
    def traceparent(self) -> str:
        """The context of what is done within it."""

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK, why: str = "") -> None:
        """Close it; with another code than OK as a failure, as far as it is one of this side."""


class Tracer(Protocol):
    """Makes spans and sends them to whoever collects them."""

    def start(
        self,
        name: str,
        kind: Kind,
        parent: str,
        links: Sequence[str] = (),
        attributes: dict[str, str | int] | None = None,
    ) -> Span:
        """A span within `parent` (a traceparent; empty: of a new trace), that names others."""


def parent_of(trace: Trace) -> str:
    """The traceparent of a call, empty where there is none.

    A call without one has the trace that its request id stands for where that is a UUID, as the
    edge's are: so what comes of a request is found by the id that its sender was answered.
    """
    for name, value in reversed(trace):
        if name == TRACEPARENT and _PARENT.match(value):
            return value[:_PARENT_LENGTH]
        if name == REQUEST_ID and _REQUEST.fullmatch(value):
            digits = value.replace("-", "")
            return f"00-{digits}-{digits[:16]}-00"
    return ""


def new_parent() -> str:
    """The traceparent of a trace that begins here, and that nobody asked for."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def trace_id_of(parent: str) -> str:
    """The trace's id."""
    return parent[3:35]


def is_sampled(parent: str) -> bool:
    """Whether somebody wants to see this trace."""
    return parent[54:55] in _ODD


def replaced(trace: Trace, parent: str) -> Trace:
    """The same with another traceparent."""
    return (*(pair for pair in trace if pair[0] != TRACEPARENT), (TRACEPARENT, parent))


def distinct(parents: Iterable[str]) -> list[str]:
    """Every one of them once, in order, without empty ones."""
    return [parent for parent in dict.fromkeys(parents) if parent]
