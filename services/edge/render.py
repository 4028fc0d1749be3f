"""The edge's configuration: `envoy/edge.yaml` filled with what the contract and the tables say."""

import json
from pathlib import Path
from string import Template
from typing import Any

import yaml

from services.chassis.config import Settings
from services.chassis.hosts import clusters, mesh
from services.chassis.policy import Access, Policy, templates

from . import contract, openapi, page, spans
from .quotas import Plans, filter_config, response_headers
from .replies import MAX_BODY_BYTES, mappers
from .routes import UPLOADS, routes, writing

UPLOAD_PIECE_BYTES = 1 << 20
"""What the transcoder takes of an upload at a time: as much as a connection buffers."""

EDGES = "edges"


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
    table = routes(methods, internal, divided=divided(settings), **files)
    config = render(settings, instance, admin, table)
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
        clusters=json.dumps([*_services(settings, instance), *_edges(settings), _admin(admin)]),
    )
    config: dict[str, Any] = yaml.safe_load(text)
    _take_uploads(config["static_resources"]["listeners"][0])
    spans.add(config, settings)
    if settings.edge_address:
        config["cluster_manager"] = {"local_cluster_name": EDGES}
    if not settings.metrics_port:
        del config["static_resources"]["listeners"][1]
    return config


def _take_uploads(listener: dict[str, Any]) -> None:
    """Let the transcoder pass on the pieces of an upload, which it does not gather."""
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (transcoder,) = (each for each in manager["http_filters"] if each["name"] == "transcoder")
    table = manager["route_config"]["virtual_hosts"][0]["routes"]
    (route,) = (each for each in table if each["match"].get("path") == UPLOADS)
    route["typed_per_filter_config"]["transcoder"] = {
        **transcoder["typed_config"],
        "max_request_body_size": UPLOAD_PIECE_BYTES,
    }


def divided(settings: Settings) -> dict[str, str]:
    """The services whose writes have replicas of their own, and where those are."""
    named = {
        name: getattr(settings, f"{name}_write_address", "") for name in contract.CLUSTERS.values()
    }
    return {name: address for name, address in named.items() if address}


def _services(settings: Settings, instance: str) -> list[dict[str, Any]]:
    found = clusters.services(settings)
    found += [
        clusters.cluster(writing(name), address, settings)
        for name, address in divided(settings).items()
    ]
    if not settings.mesh:
        return found
    own = mesh.Identity.of(mesh.EDGE, instance, settings)
    # Replicas for writes have the service's own name.
    return [mesh.secured(each, own, each["name"].removesuffix(writing(""))) for each in found]


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
                "endpoints": clusters.endpoints(settings.edge_address, clusters.zones_of(settings)),
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
