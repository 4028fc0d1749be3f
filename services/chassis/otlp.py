"""Spans, sent by OTLP over HTTP; imported only where AVIARY_OTLP_ENDPOINT is set.

What else OpenTelemetry's SDK reads from the environment holds: OTEL_EXPORTER_OTLP_HEADERS and
_CERTIFICATE, OTEL_BSP_*, OTEL_RESOURCE_ATTRIBUTES.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Sequence

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import Attributes

from clients import tracing

from .config import Settings

EXPORT_SECONDS, SHUTDOWN_SECONDS = 2.0, 3.0
"""How long the collector may take for a batch, and all the last ones together at the end."""
SERVER_FAILURES = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED"} | {
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
}
"""Codes for which a server's span has failed; the others are the caller's affair."""
_KINDS = {kind: trace.SpanKind[kind.name] for kind in tracing.Kind}
log = structlog.get_logger()


class Unseen:
    """A span of a trace that nobody collects."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK, why: str = "") -> None:
        """Nothing is sent."""


class OtlpSpan:
    """A span of OpenTelemetry's."""

    __slots__ = ("_kind", "_span", "traceparent")

    def __init__(self, span: trace.Span, kind: tracing.Kind) -> None:
        self._span = span
        self._kind = kind
        own = span.get_span_context()
        self.traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK, why: str = "") -> None:
        """Close it with the call's status."""
        if self._kind in (tracing.Kind.SERVER, tracing.Kind.CLIENT):
            self._span.set_attribute("rpc.response.status_code", code.name)
        served = self._kind is tracing.Kind.SERVER
        if code.name in SERVER_FAILURES if served else code is not grpc.StatusCode.OK:
            self._span.set_attribute("error.type", code.name)
            self._span.set_status(Status(StatusCode.ERROR, why))
        self._span.end()


class OtlpTracer:
    """Starts spans in contexts that are given as W3C `traceparent`s."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start(
        self,
        name: str,
        kind: tracing.Kind,
        parent: str,
        links: Sequence[str] = (),
        attributes: dict[str, str | int] | None = None,
    ) -> tracing.Span:
        """A span; one that costs nothing where its parent is not collected."""
        if parent and not tracing.is_sampled(parent):
            return Unseen(parent)
        context = Context()
        if parent:
            context = trace.set_span_in_context(trace.NonRecordingSpan(_remote(parent)), context)
        span = self._tracer.start_span(
            name,
            context,
            kind=_KINDS[kind],
            attributes=attributes,
            links=[trace.Link(_remote(link)) for link in links],
        )
        return OtlpSpan(span, kind)


class LinkedOrRatio(Sampler):
    """Decides for what begins a trace: as the linked ones were decided, else by a ratio."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        """Whether spans of this trace are collected."""
        if not links:
            return self._ratio.should_sample(
                parent_context, trace_id, name, kind, attributes, links, trace_state
            )
        seen = any(link.context.trace_flags.sampled for link in links)
        return SamplingResult(Decision.RECORD_AND_SAMPLE if seen else Decision.DROP, attributes)

    def get_description(self) -> str:
        """The sampler's name in the SDK's own words."""
        return f"LinkedOr{{{self._ratio.get_description()}}}"


@contextlib.asynccontextmanager
async def open_tracer(settings: Settings, service: str, instance: str) -> AsyncIterator[OtlpTracer]:
    """The tracer of a process; at the end what is left is sent, if that can be done soon."""
    sdk = logging.getLogger("opentelemetry")
    sdk.propagate, told = False, _Told()
    sdk.addHandler(told)
    resource = Resource.create(
        {
            "service.namespace": "aviary",
            "service.name": service,
            "service.instance.id": instance,
            "cloud.availability_zone": settings.zone,
        }
    )
    provider = TracerProvider(
        ParentBased(LinkedOrRatio(settings.otlp_ratio)), resource, shutdown_on_exit=False
    )
    endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS))
    )
    try:
        yield OtlpTracer(provider.get_tracer("aviary"))
    finally:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, SHUTDOWN_SECONDS)
        sdk.removeHandler(told)


def _remote(parent: str) -> trace.SpanContext:
    _, trace_id, span_id, flags = (int(part, 16) for part in parent.split("-"))
    return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags))


class _Told(logging.Handler):
    """What the SDK says, as lines of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it: spans are lost, never calls."""
        log.warning("spans", why=record.getMessage())
