"""What surrounds every call: limit, deadline, what is handed on, and the recorded outcome."""

import asyncio
import math
import time
from types import TracebackType

import structlog
from grpc import StatusCode

from clients import context
from clients.tracing import TRACEPARENT, Kind, Span, Trace, Tracer, is_sampled, parent_of, replaced

from .call import REQUEST_ID, TRACE_PARENT, USER_ID, Call
from .errors import OverloadedError
from .status import Failure, failure_of
from .telemetry import MethodMetrics

DEADLINE_MARGIN = 0.02
"""Seconds kept back from the caller's deadline, so that we can still say what timed out."""
TRACED_BY = tuple((header, header.decode()) for header in (REQUEST_ID, TRACE_PARENT))
_USER_ID = USER_ID.decode()
_OK: int = StatusCode.OK.value[0]
log = structlog.get_logger()


class Gate:
    """Counts the calls in progress; beyond the limit a call is refused before it costs anything.

    Calls that stream their replies count apart, in `streams`: they mostly wait, and hundreds of
    them must not keep the short ones out.
    """

    __slots__ = ("in_flight", "limit", "streams")

    def __init__(self, limit: int, max_streams: int = 0) -> None:
        self.limit = limit
        self.in_flight = 0
        self.streams = Gate(max_streams) if max_streams else self

    @property
    def total(self) -> int:
        """Calls in progress, streams among them."""
        return self.in_flight + (0 if self.streams is self else self.streams.in_flight)


class Guard:
    """Async context of one call, the same for unary calls and streams.

    The order matters: the limit is checked first, so that a refusal costs nothing, and the outcome
    is recorded last, so that it covers the rest. What leaves is a `Failure` (or the cancellation,
    because a cancelled task must end as cancelled).
    """

    __slots__ = ("_call", "_gate", "_metrics", "_span", "_started", "_timeout", "_tracer")

    def __init__(
        self, call: Call, gate: Gate, metrics: MethodMetrics, tracer: Tracer | None = None
    ) -> None:
        self._call = call
        self._gate = gate
        self._metrics = metrics
        self._tracer = tracer
        self._span: Span | None = None
        self._timeout: asyncio.Timeout | None = None
        self._started = 0.0

    async def __aenter__(self) -> None:
        """Admit the call and start its clock."""
        self._started = time.perf_counter()
        call, gate = self._call, self._gate
        if gate.in_flight >= gate.limit:
            refused = OverloadedError(resource="the service")
            failure = failure_of(refused, method=call.method, request_id=call.request_id)
            self._metrics.observe(failure.code.value[0], 0.0)
            _say_when(call, failure)
            raise failure
        gate.in_flight += 1
        origin = _origin(call)
        context.current.set(origin if self._tracer is None else self._within(origin, self._tracer))
        if call.deadline is not None:
            left = call.deadline - DEADLINE_MARGIN - time.monotonic()
            self._timeout = asyncio.timeout(max(0.0, left))
            await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Record the outcome and raise it as a `Failure` where the call failed."""
        self._gate.in_flight -= 1
        try:
            if self._timeout is not None:
                await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            error = expired
        if error is None:
            self._record(StatusCode.OK)
        elif isinstance(error, GeneratorExit):  # the client left in the middle of a stream
            self._record(StatusCode.CANCELLED)
        else:
            self._fail(error)

    def _within(self, origin: context.Origin, tracer: Tracer) -> context.Origin:
        """The same origin within a span of this call."""
        parent = parent_of(tuple(pair for pair in origin.trace if pair[0] == TRACEPARENT))
        method = self._call.method[1:]
        attributes: dict[str, str | int] = {"rpc.system.name": "grpc", "rpc.method": method}
        self._span = tracer.start(method, Kind.SERVER, parent, attributes=attributes)
        trace = replaced(origin.trace, self._span.traceparent)
        caller = origin.metadata[len(origin.trace) :]
        return context.Origin(origin.deadline, (*trace, *caller), trace, tracer)

    def _record(self, code: StatusCode, why: str = "") -> None:
        # The value of an enum's member takes a tenth of what all of this does.
        number = _OK if code is StatusCode.OK else code.value[0]
        self._metrics.observe(number, time.perf_counter() - self._started)
        if self._span is not None:
            self._span.end(code, why)
        elif _is_wanted(self._call):
            milliseconds = round(1000 * (time.perf_counter() - self._started), 1)
            log.info("served", method=self._call.method, code=code.name, milliseconds=milliseconds)

    def _fail(self, error: BaseException) -> None:
        call = self._call
        failure = failure_of(error, method=call.method, request_id=call.request_id)
        if failure.code.name == "INTERNAL":
            log.error("call failed", method=call.method, id=call.request_id, exc_info=error)
        else:
            log.debug("call refused", method=call.method, code=failure.code.name, why=str(failure))
        self._record(failure.code, str(failure))
        _say_when(call, failure)
        if not isinstance(error, asyncio.CancelledError):
            raise failure from error


def _say_when(call: Call, failure: Failure) -> None:
    """When to come back, as a header for REST callers; gRPC callers have RetryInfo."""
    if failure.retry_after is not None:
        call.trailing.append((b"retry-after", b"%d" % math.ceil(failure.retry_after)))


def _is_wanted(call: Call) -> bool:
    """Whether the caller asked to see the trace, by its flag `sampled`."""
    parent = call.headers.get(TRACE_PARENT)
    return parent is not None and is_sampled(parent.decode("latin-1"))


def _origin(call: Call) -> context.Origin:
    headers = call.headers
    trace: Trace = ()
    for header, name in TRACED_BY:
        value = headers.get(header)
        if value is not None:
            trace = (*trace, (name, value.decode("latin-1")))
    caller = headers.get(USER_ID)
    metadata = trace if caller is None else (*trace, (_USER_ID, caller.decode("latin-1")))
    return context.Origin(call.deadline, metadata, trace)
