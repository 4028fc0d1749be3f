"""The mesh of one machine as data: which processes there are, and what each is told and needs."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from services.chassis.config import PREFIX, Settings
from services.local import layout, ports, postgres_separate, postgres_server
from services.local.folders import Folders
from services.local.layout import Replica
from services.local.probes import Probe, ProbeKind
from services.local.process import Process
from services.local.stores import Stores, plan_stores

NEEDS = {
    "tweet": ("postgres", "redis"),
    "graph": ("postgres", "redis"),
    "timeline": ("postgres", "redis", "tweet", "graph"),
    "fanout": ("postgres", "redis", "tweet", "graph"),
    "search": ("postgres", "redis", "tweet", "graph"),
    "trends": ("postgres", "redis", "tweet", "graph"),
    "notify": ("postgres", "tweet", "graph"),
    "notifier": ("postgres", "tweet", "graph"),
    "edge": ("tweet", "graph", "timeline", "search", "notify"),
}
SERVICES = tuple(NEEDS)
DATABASES = {"fanout": "timeline", "trends": "search", "notifier": "notify"}
"""Whose database a worker has; every other service has its own."""
HEALTH_PATH = "healthz"
START_SECONDS = 60.0
FEW_PROCESSES = 10
"""So many can start together within that time; more of them get longer."""

Command = Callable[[str], tuple[str, ...]]
"""The program and arguments that run a service, given its name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings that all processes share, completed, the processes, and the stores' keepers."""

    settings: Settings
    processes: tuple[Process, ...]
    stores: Stores


def service_command(service: str) -> tuple[str, ...]:
    """Return the command of the service itself."""
    return (sys.executable, "-m", "services", service)


def plan(
    settings: Settings,
    places: Folders,
    services: Iterable[str] = SERVICES,
    command: Command = service_command,
) -> Plan:
    """Complete the settings with stores and ports, and lay out the table.

    A store that the settings name is used where it is; the others are embedded.
    """
    chosen = [name for name in SERVICES if name in set(services)]
    settings = replace(settings, home=places.home)
    stores = plan_stores(settings, places)
    rows = layout.replicas(chosen, settings)
    served = _ports(rows, settings)
    settings = _addresses(stores.settings, rows, served)
    known = [*(row.name for row in stores.processes), *(row.name for row in rows)]
    seconds = START_SECONDS * max(1.0, len(known) / FEW_PROCESSES)
    processes = [
        replace(
            _service(row, settings, places, served[row.name]),
            argv=command(row.kind),
            needs=_needs(row.kind, known),
            start_seconds=seconds,
        )
        for row in rows
    ]
    return Plan(settings, (*stores.processes, *processes), stores)


def reachable(settings: Settings) -> str:
    """Return the address under which this machine reaches what listens on the bind address."""
    return "127.0.0.1" if settings.bind_address == "0.0.0.0" else settings.bind_address  # noqa: S104


def _needs(kind: str, known: Iterable[str]) -> frozenset[str]:
    """Everything that runs here of what a service needs, stores and replicas alike.

    Of separate database servers it needs its own.
    """
    others = {postgres_separate.name_of(database) for database in postgres_server.DATABASES}
    others -= {postgres_separate.name_of(DATABASES.get(kind, kind))}
    needed = (name for name in known if layout.kind_of(name) in NEEDS[kind])
    return frozenset(needed) - others


def _ports(rows: Sequence[Replica], settings: Settings) -> dict[str, dict[str, int]]:
    """Ports of every process by what is served there; the first edge has the one that is asked."""
    taken = iter(ports.free_ports(4 * len(rows), settings.bind_address))
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        use, port = ("http" if row.kind == "edge" else "grpc"), next(taken)
        if row.name == "edge":
            port = ports.edge_port(settings.edge_port, settings.bind_address)
        found[row.name] = {use: port, "metrics": next(taken)}
        if settings.mesh and row.kind != "edge":
            found[row.name] |= {"egress": next(taken)}
            found[row.name] |= {} if row.kind in layout.WORKERS else {"health": next(taken)}
    return found


def _addresses(
    settings: Settings, rows: Sequence[Replica], served: Mapping[str, Mapping[str, int]]
) -> Settings:
    """Say where each service and the edges are; what does not run here keeps its address."""
    host = reachable(settings)
    places = {row.name: f"{host}:{port}" for row in rows for port in [_main_port(served[row.name])]}
    by_kind: dict[str, list[str]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(places[row.name])
    named = {f"{kind}_address": _joined(found) for kind, found in by_kind.items()}
    if settings.local_search_shards > 1 and "search" in by_kind:
        named["search_shards"] = _shards(rows, places)
    if settings.local_zones > 1:
        named["endpoint_zones"] = ",".join(f"{places[row.name]}={row.zone}" for row in rows)
    elif "edge" in by_kind:
        del named["edge_address"]
    known = {f.name for f in fields(Settings)}
    settings = replace(settings, **{k: v for k, v in named.items() if k in known})  # type: ignore[arg-type]
    if "edge" not in by_kind:
        return settings
    port = served["edge"]["http"]
    default_url = Settings.__dataclass_fields__["public_url"].default
    url = f"http://{host}:{port}" if settings.public_url == default_url else settings.public_url
    return replace(settings, edge_port=port, public_url=url)


def _main_port(served: Mapping[str, int]) -> int:
    return served.get("grpc") or served["http"]


def _joined(addresses: Sequence[str]) -> str:
    return addresses[0] if len(addresses) == 1 else "ipv4:" + ",".join(addresses)


def _shards(rows: Sequence[Replica], places: Mapping[str, str]) -> str:
    shards: dict[int, list[str]] = {}
    for row in rows:
        if row.kind == "search":
            shards.setdefault(row.shard, []).append(places[row.name])
    return ";".join(",".join(shards[number]) for number in sorted(shards))


def _service(
    row: Replica, settings: Settings, places: Folders, served: Mapping[str, int]
) -> Process:
    host = reachable(settings)
    if row.kind == "edge":
        probe = Probe(ProbeKind.HTTP, f"{host}:{served['http']}/{HEALTH_PATH}")
    else:
        # A worker of a mesh has no Envoy around it, and answers nothing but health.
        open_port = "grpc" if row.kind in layout.WORKERS or not settings.mesh else "health"
        probe = Probe(ProbeKind.GRPC, f"{host}:{served[open_port]}")
    own = replace(
        settings,
        grpc_port=served.get("grpc", 0),
        edge_port=served.get("http", settings.edge_port),
        metrics_port=served["metrics"],
        health_port=served.get("health", 0),
        egress_port=served.get("egress", 0),
        admin_socket=places.sockets / f"{row.name}.admin.sock",
        instance=row.name,
        zone=row.zone,
        search_shard=row.shard,
    )
    if row.kind == "search" and row.number > 1:  # its own index: every replica follows the log
        name = f"{row.shard}-of-{settings.local_search_shards}.{row.number}"
        folder = places.home / "search" / name
        own = replace(own, search_folder=own.search_folder or folder)
    return Process(
        name=row.name,
        zone=row.zone,
        argv=(),
        environ=_environ(own),
        probe=probe,
        ports=served,
        hold=places.hold_file(row.name),
        grace_seconds=settings.drain_seconds + 5.0,
    )


def _environ(settings: Settings) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    return {**inherited, **settings.to_environ(), "PYTHONUNBUFFERED": "1"}
