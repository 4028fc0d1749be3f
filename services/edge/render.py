"""The edge's configuration: `envoy/edge.yaml` filled with what the contract and the tables say."""

import json
from pathlib import Path
from string import Template
from typing import Any

import yaml

from services.chassis.config import Settings
from services.chassis.policy import Access, Policy, templates

from . import contract, openapi, page
from .quotas import Plans, filter_config, response_headers
from .replies import MAX_BODY_BYTES, mappers
from .routes import UPLOADS, routes, writing

UPLOAD_PIECE_BYTES = 1 << 20
"""What the transcoder takes of an upload at a time: as much as a connection buffers."""


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
        clusters=json.dumps([*_services(settings), _admin(admin)]),
    )
    config: dict[str, Any] = yaml.safe_load(text)
    _take_uploads(config["static_resources"]["listeners"][0])
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


def endpoints(address: str) -> list[dict[str, Any]]:
    """A gRPC address (`host:port`, `dns:///host:port`, `ipv4:a:1,b:2`) as Envoy's endpoints."""
    names = address.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:")
    pairs = [name.rpartition(":") for name in names.split(",")]
    return [
        {"endpoint": {"address": _socket(host.strip("[]"), int(port))}} for host, _, port in pairs
    ]


def divided(settings: Settings) -> dict[str, str]:
    """The services whose writes have replicas of their own, and where those are."""
    named = {
        name: getattr(settings, f"{name}_write_address", "") for name in contract.CLUSTERS.values()
    }
    return {name: address for name, address in named.items() if address}


def _services(settings: Settings) -> list[dict[str, Any]]:
    template = Template((templates() / "cluster.yaml").read_text())
    addresses = {name: getattr(settings, f"{name}_address") for name in contract.CLUSTERS.values()}
    addresses |= {writing(name): address for name, address in divided(settings).items()}
    return [
        yaml.safe_load(template.substitute(name=name, endpoints=json.dumps(endpoints(address))))
        for name, address in addresses.items()
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
