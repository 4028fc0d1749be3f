"""The embedded stores that a mesh needs: single servers, or replicated ones over zones."""

from dataclasses import dataclass, replace

from services.chassis.config import Settings
from services.local import layout, postgres_separate, postgres_server, redis_server
from services.local.errors import UnknownDatabasesError, UnknownRedisError
from services.local.folders import Folders
from services.local.postgres_cluster import PostgresCluster
from services.local.process import Process
from services.local.redis_cluster import RedisCluster
from services.local.redis_sentinel import RedisSentinel

SINGLE, SENTINEL, CLUSTER, SEPARATE = "single", "sentinel", "cluster", "separate"


@dataclass(frozen=True, slots=True)
class Stores:
    """Settings with the addresses of the stores, and the processes of those that are embedded."""

    settings: Settings
    processes: tuple[Process, ...]
    postgres: PostgresCluster | None = None
    """The replicated PostgreSQL, where it is that."""


def plan_stores(settings: Settings, places: Folders) -> Stores:
    """Lay out the stores that no setting names."""
    stores = _postgres(settings, places)
    if settings.redis_url:
        return stores
    zones = layout.zones(settings)
    kind = settings.local_redis or (SENTINEL if len(zones) > 1 else SINGLE)
    if kind == SINGLE:
        single = redis_server.at(places)
        return _with_redis(stores, single.url, single.process())
    if kind == SENTINEL:
        sentinel = RedisSentinel(places, zones, _loopback(settings))
        return _with_redis(stores, sentinel.url, *sentinel.processes())
    if kind == CLUSTER:
        cluster = RedisCluster(places, zones, _loopback(settings))
        return _with_redis(stores, cluster.url, *cluster.processes())
    raise UnknownRedisError(kind)


def _loopback(settings: Settings) -> str:
    """Where replicated Redis listens: on loopback, wherever the services may listen."""
    return settings.bind_address if settings.bind_address.startswith("127.") else "127.0.0.1"


def _with_redis(stores: Stores, url: str, *rows: Process) -> Stores:
    settings = replace(stores.settings, redis_url=url)
    return replace(stores, settings=settings, processes=(*stores.processes, *rows))


def _postgres(settings: Settings, places: Folders) -> Stores:
    missing = [d for d in postgres_server.DATABASES if not getattr(settings, f"{d}_dsn")]
    if not missing:
        return Stores(settings, ())
    zones = layout.zones(settings)
    separate = settings.local_databases == SEPARATE
    if settings.local_databases not in ("", SINGLE, SEPARATE) or (separate and len(zones) > 1):
        raise UnknownDatabasesError(settings.local_databases, len(zones))
    postgres_separate.check(places, separate=separate)
    if separate:
        servers = postgres_separate.at(places, missing)
        named = {name: server.dsn(name) for name, server in servers.items()}
        rows = (postgres_separate.process(server, places) for server in servers.values())
        return Stores(_with_dsns(settings, named), tuple(rows))
    if len(zones) == 1:
        single = postgres_server.at(places)
        named = {name: single.dsn(name) for name in postgres_server.DATABASES}
        return Stores(_with_dsns(settings, named), (single.process(places),))
    cluster = PostgresCluster(places, zones)
    named = {name: cluster.dsn(name) for name in postgres_server.DATABASES}
    if not settings.tweet_dsn:
        # One server must be behind a replica's DSN; no commit waits for this one.
        named["tweet_replica"] = cluster.asynchronous.server.dsn("tweet")
    return Stores(_with_dsns(settings, named), tuple(cluster.processes()), cluster)


def _with_dsns(settings: Settings, named: dict[str, str]) -> Settings:
    missing = {
        f"{name}_dsn": dsn for name, dsn in named.items() if not getattr(settings, f"{name}_dsn")
    }
    return replace(settings, **missing)  # type: ignore[arg-type]
