"""The edge's configuration: `envoy/edge.yaml` filled with what the contract and the tables say."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

from services.chassis.config import Settings
from services.chassis.policy import Access, Policy, templates

from . import contract, openapi, page
from .quotas import Plans, filter_config, response_headers
from .replies import MAX_BODY_BYTES, mappers
from .routes import routes

EDGES = "edges"
Endpoints: TypeAlias = dict[str, Any]


def write(settings: Settings, *, instance: str, admin: Path) -> Path:
    """Write the configuration and the documents that it names into the run folder."""
    folder = settings.run_folder
    folder.mkdir(parents=True, exist_ok=True)
    descriptors = contract.read_descriptors()
    policy = Policy.load()
    methods = contract.methods(descriptors, policy)
    internal = [path for path, rule in policy.rules.items() if rule.access is Access.INTERNAL]
    documents = {
        "page": (
            folder / f"{instance}.index.html",
            page.render(descriptors, methods, settings.public_url),
        ),
        "openapi": (
            folder / f"{instance}.openapi.json",
            json.dumps(openapi.describe(descriptors, methods, settings.public_url)),
        ),
    }
    for path, text in documents.values():
        path.write_text(text)
    files = {name: str(path) for name, (path, _) in documents.items()}
    config = render(settings, instance, admin, routes(methods, internal, **files))
    out = folder / f"{instance}.envoy.yaml"
    out.write_text(yaml.safe_dump(config, sort_keys=False, width=120))
    return out


def render(
    settings: Settings, instance: str, admin: Path, table: list[dict[str, Any]]
) -> dict[str, Any]:
    """Envoy's bootstrap."""
    text = Template((templates() / "edge.yaml").read_text()).substitute(
        instance=instance,
        zone=settings.zone,
        admin_socket=admin,
        address=settings.bind_address,
        port=settings.edge_port,
        metrics_port=settings.metrics_port,
        jwks=settings.jwks_path,
        descriptors=contract.descriptors_path(),
        max_body_bytes=MAX_BODY_BYTES,
        transcoded=json.dumps(list(contract.CLUSTERS)),
        replies=json.dumps(mappers()),
        routes=json.dumps(table),
        quotas=json.dumps(filter_config(Plans.load())),
        quota_headers=json.dumps(response_headers()),
        clusters=json.dumps([*_services(settings), *_edges(settings), _admin(admin)]),
    )
    config: dict[str, Any] = yaml.safe_load(text)
    if settings.edge_address:
        config["cluster_manager"] = {"local_cluster_name": EDGES}
    if not settings.metrics_port:
        del config["static_resources"]["listeners"][1]
    return config


def endpoints(address: str, zones: Mapping[str, str] = MappingProxyType({})) -> list[Endpoints]:
    """A gRPC address (`host:port`, `dns:///host:port`, `ipv4:a:1,b:2`) as Envoy's endpoints.

    They are grouped by zone; `zones` has those of `host:port`, and what is not in it is in none.
    """
    names = address.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:")
    by_zone: dict[str, list[Endpoints]] = {}
    for name in names.split(","):
        host, _, port = name.rpartition(":")
        endpoint = {"endpoint": {"address": _socket(host.strip("[]"), int(port))}}
        by_zone.setdefault(zones.get(name, ""), []).append(endpoint)
    return [
        {**({"locality": {"zone": zone}} if zone else {}), "lb_endpoints": found}
        for zone, found in by_zone.items()
    ]


def zones_of(settings: Settings) -> dict[str, str]:
    """Zones by `host:port`."""
    pairs = (pair.rpartition("=") for pair in settings.endpoint_zones.split(",") if pair)
    return {name: zone for name, _, zone in pairs}


def _services(settings: Settings) -> list[dict[str, Any]]:
    template = Template((templates() / "cluster.yaml").read_text())
    addresses = {name: getattr(settings, f"{name}_address") for name in contract.CLUSTERS.values()}
    zones = zones_of(settings)
    return [
        yaml.safe_load(
            template.substitute(name=name, endpoints=json.dumps(endpoints(address, zones)))
        )
        for name, address in addresses.items()
    ]


def _edges(settings: Settings) -> list[dict[str, Any]]:
    """All edges as a cluster: by their zones Envoy knows which share of a service is its own."""
    if not settings.edge_address:
        return []
    check = {
        "http_health_check": {"path": "/healthz"},
        "interval": "1s",
        "no_traffic_interval": "1s",
        "timeout": "1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
    }
    return [
        {
            "name": EDGES,
            "type": "STRICT_DNS",
            "connect_timeout": "1s",
            "health_checks": [check],
            "load_assignment": {
                "cluster_name": EDGES,
                "endpoints": endpoints(settings.edge_address, zones_of(settings)),
            },
        }
    ]


def _admin(admin: Path) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(admin)}}}}
    return {
        "name": "admin",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "admin", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _socket(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
