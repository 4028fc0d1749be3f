"""Health: the standard `grpc.health.v1`, for the replica and for each thing that it depends on.

The replica (service name "") is NOT_SERVING until every check has passed once, and again while it
drains. Later failures of a check change only that check's own name: when a shared store is gone all
replicas would leave the load balancer at once, and the reads that need no store with them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from grpc import StatusCode
from grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)
from prometheus_client import CollectorRegistry, Gauge

from .call import Call
from .errors import ServiceError

Check = Callable[[], Awaitable[None]]
REPLICA = ""
INTERVAL = 5.0
FIRST_INTERVAL = 0.1
TIMEOUT = 2.0
log = structlog.get_logger()


class UnknownHealthNameError(ServiceError):
    """Nothing of this name is checked."""

    code = StatusCode.NOT_FOUND
    reason = "INVALID_ARGUMENT"
    template = "{service} is not checked here"


class Health:
    """States by name, and the poll that keeps them."""

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        self._checks = checks
        self._up = dict.fromkeys([REPLICA, *checks], False)
        self._draining = False
        self._changed = asyncio.Event()
        self._gauge = Gauge(
            "aviary_health_up", "Whether this name is SERVING", ["name"], registry=registry
        )
        for name in self._up:
            self._gauge.labels(name=name).set(0)

    def drain(self) -> None:
        """Say NOT_SERVING from now on."""
        self._draining = True
        self._set(REPLICA, False)

    async def poll(self) -> None:
        """Run the checks until cancelled, quickly until all have passed once."""
        while True:
            await asyncio.gather(*(self._run(name, check) for name, check in self._checks.items()))
            if not self._up[REPLICA] and not self._draining:
                self._set(REPLICA, all(self._up[name] for name in self._checks))
            await asyncio.sleep(INTERVAL if self._up[REPLICA] else FIRST_INTERVAL)

    def status(self, name: str) -> "HealthCheckResponse.ServingStatus":
        """SERVING or NOT_SERVING."""
        if name not in self._up:
            raise UnknownHealthNameError(service=name)
        up = self._up[name]
        return HealthCheckResponse.SERVING if up else HealthCheckResponse.NOT_SERVING

    async def changes(self, name: str) -> AsyncIterator["HealthCheckResponse.ServingStatus"]:
        """The state of a name, and again whenever it changes; ends with the drain."""
        last = None
        while True:
            changed = self._changed
            if (status := self.status(name)) != last:
                last = status
                yield status
            if self._draining:
                return
            await changed.wait()

    def statuses(self) -> dict[str, "HealthCheckResponse.ServingStatus"]:
        """The state of every name."""
        return {name: self.status(name) for name in self._up}

    async def _run(self, name: str, check: Check) -> None:
        why = ""
        try:
            async with asyncio.timeout(TIMEOUT):
                await check()
        except Exception as error:
            why = repr(error)
        self._set(name, not why, why=why)

    def _set(self, name: str, up: bool, *, why: str = "") -> None:
        if self._up[name] == up:
            return
        self._up[name] = up
        self._gauge.labels(name=name).set(up)
        log.info("health changed", name=name or "replica", up=up, why=why)
        self._changed.set()
        self._changed = asyncio.Event()


class HealthServicer:
    """`grpc.health.v1.Health`."""

    def __init__(self, health: Health) -> None:
        self._states = health

    async def check(self, request: HealthCheckRequest, _call: Call) -> HealthCheckResponse:
        """The state of one name."""
        return HealthCheckResponse(status=self._states.status(request.service))

    async def list(self, _request: HealthListRequest, _call: Call) -> HealthListResponse:
        """The states of all names."""
        states = self._states.statuses()
        return HealthListResponse(
            statuses={name: HealthCheckResponse(status=state) for name, state in states.items()}
        )

    async def watch(
        self, request: HealthCheckRequest, _call: Call
    ) -> AsyncIterator[HealthCheckResponse]:
        """The state of one name, and again whenever it changes."""
        try:
            async for state in self._states.changes(request.service):
                yield HealthCheckResponse(status=state)
        except UnknownHealthNameError:
            yield HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
