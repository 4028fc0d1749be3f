"""Spans of the edge itself: Envoy's own tracer, sent where those of the services go."""

from typing import Any
from urllib.parse import urlsplit

from services.chassis.config import Settings

COLLECTOR = "spans"
_TRACER = "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig"
_SAMPLERS = "type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3"
_HTTP_PORT = 80


def add(config: dict[str, Any], settings: Settings) -> None:
    """Have the edge begin the traces, where there is a collector in the clear.

    One behind TLS is left to the services, which then begin them: what it asks for (authorities, a
    token) is the SDK's to know.
    """
    url = urlsplit(settings.otlp_endpoint)
    if url.scheme != "http" or not url.hostname:
        return
    resources = config["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    uri = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    manager["tracing"] = {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": _TRACER,
                "service_name": "edge",
                "http_service": {"http_uri": {"uri": uri, "cluster": COLLECTOR, "timeout": "2s"}},
                "sampler": _sampler(settings.otlp_ratio),
            },
        },
    }
    resources["clusters"].append(_collector(url.hostname, url.port or _HTTP_PORT))


def _sampler(ratio: float) -> dict[str, Any]:
    """Of what comes with a `traceparent`, that one decides."""
    share = {"numerator": round(1_000_000 * ratio), "denominator": "MILLION"}
    by_ratio = {
        "name": "ratio",
        "typed_config": {
            "@type": f"{_SAMPLERS}.TraceIdRatioBasedSamplerConfig",
            "sampling_percentage": share,
        },
    }
    return {
        "name": "parent",
        "typed_config": {
            "@type": f"{_SAMPLERS}.ParentBasedSamplerConfig",
            "wrapped_sampler": by_ratio,
        },
    }


def _collector(host: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": host, "port_value": port}}
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": COLLECTOR,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": COLLECTOR, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
