"""The mesh of one machine as data: which processes there are, and what each is told and needs."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

from services.chassis.config import PREFIX, Settings
from services.local import ports, postgres_server, redis_server
from services.local.folders import Folders
from services.local.probes import Probe, ProbeKind
from services.local.process import Process

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
HEALTH_PATH = "healthz"
START_SECONDS = 60.0

Command = Callable[[str], tuple[str, ...]]
"""The program and arguments that run a service, given its name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings that all processes share, completed, and the processes."""

    settings: Settings
    processes: tuple[Process, ...]


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
    settings, stores = _stores(replace(settings, home=places.home), places)
    names = [row for name in chosen for row in _replicas(name, settings)]
    taken = iter(ports.free_ports(2 * len(names), settings.bind_address))
    pairs = {name: (next(taken), next(taken)) for name in names}
    settings = _addresses(settings, {name: pair[0] for name, pair in pairs.items()})
    rows = [_service(name, settings, places, pairs[name], command(_kind(name))) for name in names]
    known = {row.name for row in (*stores, *rows)}
    rows = [replace(row, needs=row.needs & known) for row in rows]
    return Plan(settings, (*stores, *rows))


def reachable(settings: Settings) -> str:
    """Return the address under which this machine reaches what listens on the bind address."""
    return "127.0.0.1" if settings.bind_address == "0.0.0.0" else settings.bind_address  # noqa: S104


def _replicas(name: str, settings: Settings) -> list[str]:
    """The processes that run a service: one, but for the shards of search."""
    if name != "search":
        return [name]
    return [name, *(f"{name}-{shard}" for shard in range(1, settings.local_search_shards))]


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _stores(settings: Settings, places: Folders) -> tuple[Settings, list[Process]]:
    rows: list[Process] = []
    if not all(getattr(settings, f"{name}_dsn") for name in postgres_server.DATABASES):
        postgres = postgres_server.at(places)
        rows.append(postgres.process(places))
        settings = replace(
            settings,
            tweet_dsn=settings.tweet_dsn or postgres.dsn("tweet"),
            graph_dsn=settings.graph_dsn or postgres.dsn("graph"),
            timeline_dsn=settings.timeline_dsn or postgres.dsn("timeline"),
            search_dsn=settings.search_dsn or postgres.dsn("search"),
            notify_dsn=settings.notify_dsn or postgres.dsn("notify"),
        )
    if not settings.redis_url:
        redis = redis_server.at(places)
        rows.append(redis.process())
        settings = replace(settings, redis_url=redis.url)
    return settings, rows


def _addresses(settings: Settings, grpc_ports: dict[str, int]) -> Settings:
    """Say where each service and the edge are; addresses of services that do not run here stay."""
    host = reachable(settings)
    by_name = {f"{name}_address": f"{host}:{port}" for name, port in grpc_ports.items()}
    shards = [f"{host}:{port}" for name, port in grpc_ports.items() if _kind(name) == "search"]
    if len(shards) > 1:
        by_name |= {"search_shards": ";".join(shards), "search_address": "ipv4:" + ",".join(shards)}
    known = {f.name for f in fields(Settings)}
    settings = replace(settings, **{k: v for k, v in by_name.items() if k in known})  # type: ignore[arg-type]
    if "edge" not in grpc_ports:
        return settings
    port = ports.edge_port(settings.edge_port, settings.bind_address)
    default_url = Settings.__dataclass_fields__["public_url"].default
    url = f"http://{host}:{port}" if settings.public_url == default_url else settings.public_url
    return replace(settings, edge_port=port, public_url=url)


def _service(
    name: str, settings: Settings, places: Folders, pair: tuple[int, int], argv: tuple[str, ...]
) -> Process:
    grpc_port, metrics_port = pair
    host = reachable(settings)
    if name == "edge":
        served = {"http": settings.edge_port, "metrics": metrics_port}
        probe = Probe(ProbeKind.HTTP, f"{host}:{settings.edge_port}/{HEALTH_PATH}")
    else:
        served = {"grpc": grpc_port, "metrics": metrics_port}
        probe = Probe(ProbeKind.GRPC, f"{host}:{grpc_port}")
    own = replace(
        settings,
        grpc_port=served.get("grpc", 0),
        metrics_port=metrics_port,
        admin_socket=places.sockets / f"{name}.admin.sock",
        instance=name,
        search_shard=int(name.partition("-")[2] or 0),
    )
    return Process(
        name=name,
        argv=argv,
        environ=_environ(own),
        probe=probe,
        needs=frozenset(NEEDS[_kind(name)]),
        ports=served,
        start_seconds=START_SECONDS,
        grace_seconds=settings.drain_seconds + 5.0,
    )


def _environ(settings: Settings) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    return {**inherited, **settings.to_environ(), "PYTHONUNBUFFERED": "1"}
