"""What one call hands on to the calls that it causes: deadline, request id, trace, caller."""

import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import NamedTuple

from .tracing import Trace, Tracer, distinct, is_sampled, parent_of

DEFAULT_TIMEOUT = 5.0
"""Seconds that an outgoing call may take when nothing stricter is known."""


class Origin(NamedTuple):
    """The call being served while another is made; made for each call, so a tuple."""

    deadline: float | None = None
    """Moment on `time.monotonic()`'s clock by which the caller wants an answer."""
    metadata: Trace = ()
    """Metadata handed on: request id, traceparent, caller."""
    trace: Trace = ()
    """What of it is not the caller's: by this the call is found in logs and traces."""
    tracer: Tracer | None = None
    """What makes spans of what is done; None where nobody collects them."""
    links: tuple[str, ...] = ()
    """Where it is done for several calls: the traceparents of those that are collected."""

    def timeout(self) -> float:
        """Seconds left for an outgoing call, never more than the default."""
        if self.deadline is None:
            return DEFAULT_TIMEOUT
        return min(DEFAULT_TIMEOUT, max(0.001, self.deadline - time.monotonic()))


NOBODY = Origin()
current: ContextVar[Origin] = ContextVar("aviary_origin", default=NOBODY)


def traceparent() -> str:
    """The W3C trace context of what is being done; empty where there is none."""
    trace = current.get().trace
    return parent_of(trace) if trace else ""


def shared(origins: Sequence[Origin]) -> Origin:
    """The origin of work that is done for several calls at once.

    It has the trace of all of them where they have one, and names them where they differ; it has
    nobody's deadline, and is done in nobody's name.
    """
    trace, tracer = origins[0].trace, origins[0].tracer
    if not any(origin.trace != trace for origin in origins):
        return Origin(metadata=trace, trace=trace, tracer=tracer) if trace else NOBODY
    if tracer is None:
        return NOBODY
    parents = distinct(parent_of(origin.trace) for origin in origins)
    return Origin(tracer=tracer, links=tuple(filter(is_sampled, parents)))
