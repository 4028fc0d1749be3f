"""Services as Envoy's clusters: one template for the edge and for each replica's way out."""

import json
from collections.abc import Mapping
from string import Template
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

from ..config import Settings
from ..policy import templates

Endpoints: TypeAlias = dict[str, Any]
SERVICES = ("tweet", "graph", "timeline", "search", "notify")
"""Those that others call; each has a setting for its address."""


def services(settings: Settings) -> list[dict[str, Any]]:
    """The clusters of all services, at the addresses that the settings say."""
    return [cluster(name, getattr(settings, f"{name}_address"), settings) for name in SERVICES]


def cluster(name: str, address: str, settings: Settings) -> dict[str, Any]:
    """One cluster at a gRPC address."""
    template = Template((templates() / "cluster.yaml").read_text())
    found = endpoints(address, zones_of(settings))
    made: dict[str, Any] = yaml.safe_load(
        template.substitute(name=name, endpoints=json.dumps(found))
    )
    return made


def endpoints(address: str, zones: Mapping[str, str] = MappingProxyType({})) -> list[Endpoints]:
    """A gRPC address (`host:port`, `dns:///host:port`, `ipv4:a:1,b:2`) as Envoy's endpoints.

    They are grouped by zone; `zones` has those of `host:port`, and what is not in it is in none.
    """
    names = address.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:")
    by_zone: dict[str, list[Endpoints]] = {}
    for name in names.split(","):
        host, _, port = name.rpartition(":")
        endpoint = {"endpoint": {"address": socket_address(host.strip("[]"), int(port))}}
        by_zone.setdefault(zones.get(name, ""), []).append(endpoint)
    return [
        {**({"locality": {"zone": zone}} if zone else {}), "lb_endpoints": found}
        for zone, found in by_zone.items()
    ]


def zones_of(settings: Settings) -> dict[str, str]:
    """Zones by `host:port`."""
    pairs = (pair.rpartition("=") for pair in settings.endpoint_zones.split(",") if pair)
    return {name: zone for name, _, zone in pairs}


def socket_address(host: str, port: int) -> dict[str, Any]:
    """A TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}
