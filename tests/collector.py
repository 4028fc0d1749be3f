"""A collector of spans: a small HTTP server that decodes what OTLP exporters send."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from tests.mesh.eventually import eventually
from tests.ports import free_port


@dataclass(frozen=True)
class Span:
    """A span as it came; ids in hexadecimal digits."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    attributes: dict[str, str]
    failed: bool


class Collector:
    """The spans that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Span] = []
        self.requests = 0

    def take(self, body: bytes) -> None:
        self.requests += 1
        for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(batch.resource.attributes)["service.name"]
            for scope in batch.scope_spans:
                self.spans += [_span(service, span) for span in scope.spans]

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until enough spans came."""

        async def found() -> bool:
            return enough()

        await eventually(found, True)


def _span(service: str, span: SpanMessage) -> Span:
    return Span(
        service,
        span.name,
        SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        tuple(link.trace_id.hex() for link in span.links),
        _attributes(span.attributes),
        span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: str(getattr(pair.value, pair.value.WhichOneof("value"))) for pair in pairs}


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a port of its own."""
    port = free_port()
    collector = Collector(f"http://127.0.0.1:{port}")

    async def take(request: web.Request) -> web.Response:
        collector.take(await request.read())
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    application = web.Application()
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield collector
    finally:
        await runner.cleanup()
