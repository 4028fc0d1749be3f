"""Logs as JSON lines and Prometheus metrics."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from grpc import StatusCode
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from clients.context import current
from clients.tracing import REQUEST_ID, parent_of, trace_id_of

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
"""Seconds; an edge lies at each promised latency (0.02, 0.1, 0.2, 1 and 5 s)."""
CODE_NAMES = {code.value[0]: code.name for code in StatusCode}


def configure_logging(level: str, **bound: str) -> None:
    """Log JSON lines to standard error, each with the given fields."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _bind(bound),
            _tie,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without locals: they may hold passwords and tokens.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _bind(fields: dict[str, str]) -> structlog.typing.Processor:
    """Add what identifies the process to every line."""

    def add(
        _logger: object, _name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.update(fields)
        return event

    return add


def _tie(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the call being served, by which its lines are found in all services."""
    trace = current.get().trace
    for name, value in trace:
        if name == REQUEST_ID:
            event.setdefault("request_id", value)
    if parent := parent_of(trace):
        event.setdefault("trace_id", trace_id_of(parent))
    return event


class MethodMetrics:
    """Counts and times of one method; the usual outcome is resolved ahead."""

    __slots__ = ("_failures", "_method", "_ok")

    def __init__(self, method: str, seconds: Histogram, failures: Counter) -> None:
        self._method = method
        self._ok = seconds.labels(method=method)
        self._failures = failures

    def observe(self, code: int, seconds: float) -> None:
        """Record one finished call: gRPC code number and duration in seconds."""
        self._ok.observe(seconds)
        if code:
            self._failures.labels(method=self._method, code=CODE_NAMES[code]).inc()


class RpcMetrics:
    """Metrics of every method that a replica serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "aviary_rpc_duration_seconds",
            "Duration of served calls by method",
            ["method"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._failures = Counter(
            "aviary_rpc_failures",
            "Served calls that ended with another status than OK",
            ["method", "code"],
            registry=registry,
        )

    def of(self, path: str) -> MethodMetrics:
        """The metrics of the method with this gRPC path."""
        return MethodMetrics(path, self._seconds, self._failures)


def serve_metrics(address: str, port: int, registry: CollectorRegistry) -> None:
    """Serve `/metrics` from a thread of its own; port 0 serves nothing."""
    if port:
        start_http_server(port, addr=address, registry=registry)
