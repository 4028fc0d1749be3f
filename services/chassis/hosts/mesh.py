"""The mesh: mutual TLS by SPIFFE names, who may call by the policy table, and the way out.

A service is called `spiffe://aviary/NAME`. Certificates are files that Envoy watches: `tls.crt`,
`tls.key` and `ca.crt` in one folder, put in place by a rename, as Kubernetes does with a secret's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any

import yaml

from ..config import Settings
from ..policy import COMMON, Access, Policy, templates
from . import clusters

TRUST_DOMAIN = "spiffe://aviary/"
EDGE, OPERATOR = "edge", "operator"
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "timeline": ("timeline", "fanout"),
    "search": ("search", "trends"),
    "notify": ("notify", "notifier"),
}
"""The processes, each with a name of its own, that a service in the table of callers stands for."""
SERVED_BY: Mapping[str, tuple[str, ...]] = {"events": ("tweet", "graph")}
"""The services that serve a package of the contract, where it is not the one of that name."""
CHAIN, KEY, TRUSTED = "tls.crt", "tls.key", "ca.crt"
HEALTH = "/grpc.health.v1.Health/Check"
HEALTH_INTERVAL = "2s"
"""How often a replica looks at its peers: less often than the edge, for there are many of them."""
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
Config = dict[str, Any]


def spiffe(process: str) -> str:
    """The name of a process in its certificate."""
    return TRUST_DOMAIN + process


@dataclass(frozen=True, slots=True)
class Identity:
    """A process's certificate: its folder, and where Envoy is told of the files in it."""

    folder: Path
    secrets: Path

    @classmethod
    def of(cls, name: str, instance: str, settings: Settings) -> "Identity":
        """The identity of a process; what Envoy reads is written."""
        own = cls(settings.certificates(name), settings.run_folder / instance)
        own.write()
        return own

    def write(self) -> None:
        """Name the files to Envoy; it reads them again after a rename in their folder."""
        watched = {"watched_directory": {"path": str(self.folder)}}
        files = {name: {"filename": str(self.folder / name)} for name in (CHAIN, KEY, TRUSTED)}
        secrets = {
            "own": {"tls_certificate": {"certificate_chain": files[CHAIN],
                                        "private_key": files[KEY], **watched}},
            "trusted": {"validation_context": {"trusted_ca": files[TRUSTED], **watched}},
        }  # fmt: skip
        for name, secret in secrets.items():
            kind = {"@type": TLS + "Secret", "name": name}
            self._file(name).write_text(yaml.safe_dump({"resources": [kind | secret]}))

    def context(self, exactly: str = "") -> Config:
        """What both ends have in common: one's certificate, and the names of others to accept."""
        name = {"exact": exactly} if exactly else {"prefix": TRUST_DOMAIN}
        matcher = {"san_type": "URI", "matcher": name}
        return {
            "tls_params": {
                # Envoy's clients stop at 1.2 unless they are told.
                "tls_minimum_protocol_version": "TLSv1_3",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificate_sds_secret_configs": [self._secret("own")],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": [matcher]},
                "validation_context_sds_secret_config": self._secret("trusted"),
            },
        }

    def _secret(self, name: str) -> Config:
        path = {"path": str(self._file(name))}
        return {"name": name, "sds_config": {"path_config_source": path}}

    def _file(self, name: str) -> Path:
        return self.secrets.with_name(f"{self.secrets.name}.{name}.yaml")


def inbound_tls(own: Identity) -> Config:
    """The transport of a listener: whoever calls shows a certificate of this mesh."""
    context = own.context() | {"alpn_protocols": ["h2"]}
    kind = {"@type": TLS + "DownstreamTlsContext", "require_client_certificate": True}
    return _socket(kind | {"common_tls_context": context})


def outbound_tls(own: Identity, service: str) -> Config:
    """The transport to a service, which must show its name."""
    context = own.context(exactly=spiffe(service)) | {"alpn_protocols": ["h2"]}
    return _socket({"@type": TLS + "UpstreamTlsContext", "common_tls_context": context})


def secured(cluster: Config, own: Identity, service: str = "") -> Config:
    """A service's cluster with that transport."""
    return cluster | {"transport_socket": outbound_tls(own, service or cluster["name"])}


def authorization(policy: Policy) -> Config:
    """The filter that lets in whom the table names for a method, and nobody else."""
    by_callers: dict[tuple[str, ...], list[str]] = {}
    for path, rule in policy.rules.items():
        names = {name for service in policy.callers.get(path, ()) for name in _processes(service)}
        if rule.access is not Access.INTERNAL:
            names.add(EDGE)
        if path not in COMMON:
            by_callers.setdefault(tuple(sorted({*names, OPERATOR})), []).append(path)
    rules = {
        "+".join(names): {
            "permissions": [{"or_rules": {"rules": [_path(path) for path in sorted(paths)]}}],
            "principals": [_named({"exact": spiffe(name)}) for name in names],
        }
        for names, paths in by_callers.items()
    }
    rules["health"] = {
        "permissions": [_path(HEALTH)],
        "principals": [_named({"prefix": TRUST_DOMAIN})],
    }
    return {
        "name": "callers",
        "typed_config": {"@type": RBAC, "rules": {"action": "ALLOW", "policies": rules}},
    }


def joined(config: Config, name: str, instance: str, settings: Settings) -> Config:
    """A replica's configuration with the mesh in it; `config` has its listener, if it has one."""
    own = Identity.of(name, instance, settings)
    static = config.setdefault("static_resources", {})
    for listener in static.setdefault("listeners", []):
        (chain,) = listener["filter_chains"]
        chain["transport_socket"] = inbound_tls(own)
        manager = chain["filters"][0]["typed_config"]
        manager["http_filters"].insert(0, authorization(Policy.load()))
    inside = bool(static["listeners"])
    called = called_by(name, Policy.load())
    if inside and settings.endpoint_zones:  # by its own replicas it knows its zone's share
        called.add(name)
        config["cluster_manager"] = {"local_cluster_name": name}
    shards = _shards(settings) if "search" in called else []
    hosts = [*sorted(called), *(shard["name"] for shard in shards)]
    more = _template("listeners", settings, hosts=hosts)
    static["listeners"] += [row for row in more if inside or row["name"] != "health"]
    peers = [peer for peer in clusters.services(settings) if peer["name"] in called]
    static["clusters"] = [
        *(_patient(secured(peer, own)) for peer in peers),
        *(_patient(secured(peer, own, "search")) for peer in shards),
    ]
    if inside:
        static["clusters"].append(_self(name, settings, own))
    return config


def called_by(process: str, policy: Policy) -> set[str]:
    """The services that a process calls, by the table."""
    return {
        service
        for path, callers in policy.callers.items()
        if any(process in _processes(caller) for caller in callers)
        for service in SERVED_BY.get(path.split(".")[1], (path.split(".")[1],))
    }


def through_egress(settings: Settings) -> Settings:
    """The settings as Python is to see them: every peer behind the one address of its Envoy."""
    if not settings.mesh:
        return settings
    way = f"127.0.0.1:{settings.egress_port}"
    shards = [shard.split(",") for shard in settings.search_shards.split(";") if shard]
    return replace(
        settings,
        tweet_address=f"tweet@{way}",
        graph_address=f"graph@{way}",
        timeline_address=f"timeline@{way}",
        search_address=f"search@{way}",
        notify_address=f"notify@{way}",
        search_shards=";".join(",".join(f"{one}@{way}" for one in shard) for shard in shards),
    )


def _template(
    part: str, settings: Settings, *, hosts: Sequence[str] = (), cluster: str = ""
) -> list[Config]:
    routes = [
        {"name": host, "domains": [host], "routes": inner}
        for host in hosts
        for inner in [_template("egress_routes", settings, cluster=host)]
    ]
    text = Template((templates() / "mesh.yaml").read_text()).substitute(
        address=settings.bind_address,
        health_port=settings.health_port,
        egress_port=settings.egress_port,
        egress_hosts=json.dumps(routes),
        cluster=cluster,
    )
    found: list[Config] = yaml.safe_load(text)[part]
    return found


def _shards(settings: Settings) -> list[Config]:
    places = [one for shard in settings.search_shards.split(";") for one in shard.split(",") if one]
    return [clusters.cluster(place, place, settings) for place in places]


def _self(name: str, settings: Settings, own: Identity) -> Config:
    """The replica itself, for the probes that come without a certificate."""
    host = "127.0.0.1" if settings.bind_address == "0.0.0.0" else settings.bind_address  # noqa: S104
    made = clusters.cluster("self", f"{host}:{settings.grpc_port}", settings)
    for part in ("health_checks", "outlier_detection", "circuit_breakers", "common_lb_config"):
        del made[part]
    return secured(made, own, name)


def _patient(cluster: Config) -> Config:
    for check in cluster["health_checks"]:
        check |= {"interval": HEALTH_INTERVAL, "no_traffic_interval": HEALTH_INTERVAL}
    return cluster


def _processes(service: str) -> tuple[str, ...]:
    return PROCESSES.get(service, (service,))


def _path(path: str) -> Config:
    return {"url_path": {"path": {"exact": path}}}


def _named(matcher: Config) -> Config:
    return {"authenticated": {"principal_name": matcher}}


def _socket(context: Config) -> Config:
    return {"name": "tls", "typed_config": context}
