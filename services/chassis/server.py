"""A replica: one service's servicers as a handler table, with health, reflection and metrics."""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector

from clients import context
from clients.tracing import Tracer

from . import reflection
from .background import running
from .config import Settings
from .guard import Gate
from .handlers import Table, build_table
from .health import Check, Health, HealthServicer
from .hosts.mesh import through_egress
from .policy import Policy
from .telemetry import RpcMetrics, configure_logging, serve_metrics

MAX_STREAMS = 4096
"""Open streams of one replica; the edge opens no more either (envoy/cluster.yaml)."""
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a composition root is given."""

    name: str
    settings: Settings
    registry: CollectorRegistry
    draining: asyncio.Event
    """Set when the replica is about to go: long streams end themselves."""

    @property
    def instance(self) -> str:
        """Name of this replica, unique among the running ones."""
        return self.settings.instance or f"{self.name}-{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Service:
    """What a composition root gives: servicers by contract, and the checks of what they need."""

    servicers: Mapping[ServiceDescriptor, object] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    policy: Policy | None = None
    """Another policy table than `envoy/policy.yaml`, for services outside the product."""


Compose: TypeAlias = Callable[[Runtime], AbstractAsyncContextManager[Service]]


class Server:
    """A running replica, as its host sees it."""

    def __init__(self, table: Table, health: Health, gate: Gate, draining: asyncio.Event) -> None:
        self.table = table
        self.gate = gate
        self._health = health
        self._draining = draining

    def drain(self) -> None:
        """Turn NOT_SERVING and end long streams; calls in flight go on."""
        log.info("draining", in_flight=self.gate.total)
        self._health.drain()
        self._draining.set()


@contextlib.asynccontextmanager
async def open_server(name: str, compose: Compose, settings: Settings) -> AsyncIterator[Server]:
    """Start a replica's inside; its parts close in reverse order."""
    settings = through_egress(settings)
    runtime = Runtime(name, settings, CollectorRegistry(), asyncio.Event())
    configure_logging(settings.log_level, service=name, instance=runtime.instance)
    ProcessCollector(registry=runtime.registry)
    PlatformCollector(registry=runtime.registry)
    async with _tracing(runtime) as tracer, compose(runtime) as service:
        health = Health(service.checks, runtime.registry)
        gate = Gate(settings.max_in_flight, MAX_STREAMS)
        Gauge(
            "aviary_calls_in_flight", "Calls being worked on", registry=runtime.registry
        ).set_function(lambda: gate.total)
        table = build_table(
            _with_common_services(service.servicers, health, settings),
            policy=service.policy or Policy.load(),
            metrics=RpcMetrics(runtime.registry),
            gate=gate,
            tracer=tracer,
        )
        serve_metrics(settings.bind_address, settings.metrics_port, runtime.registry)
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        log.info("started", methods=len(table))
        async with running(health.poll()):
            yield Server(table, health, gate, runtime.draining)
    log.info("stopped")


@contextlib.asynccontextmanager
async def _tracing(runtime: Runtime) -> AsyncIterator[Tracer | None]:
    """The tracer, which tasks that the composition root starts find in their context."""
    if not runtime.settings.otlp_endpoint:
        yield None
        return
    from .otlp import open_tracer

    async with open_tracer(runtime.settings, runtime.name, runtime.instance) as tracer:
        context.current.set(context.Origin(tracer=tracer))
        try:
            yield tracer
        finally:
            context.current.set(context.NOBODY)


def _with_common_services(
    servicers: Mapping[ServiceDescriptor, object], health: Health, settings: Settings
) -> dict[ServiceDescriptor, object]:
    common: dict[ServiceDescriptor, object] = {HEALTH: HealthServicer(health)}
    if settings.reflection:
        names = [HEALTH.full_name, *(descriptor.full_name for descriptor in servicers)]
        common[reflection.DESCRIPTOR] = reflection.ReflectionServicer(names)
    return {**servicers, **common}
