"""Where the mesh is: the one that runs in this home, else what the settings say."""

from urllib.parse import urlsplit

from services.chassis.config import Settings
from services.local import control

WAY_OUT = "tweet"


def edge_address(settings: Settings) -> str:
    """The edge as gRPC names it, `host:port`."""
    mesh = control.find(settings.home)
    url = mesh.edge_url if mesh and mesh.edge_url else settings.public_url
    return urlsplit(url).netloc


def service_address(settings: Settings, name: str) -> str:
    """A service behind the edge; only operators reach it."""
    mesh = control.find(settings.home)
    ports = {process.name: process.ports for process in mesh.processes} if mesh else {}
    if name in ports and "egress" in ports.get(WAY_OUT, {}):
        # It takes certificates only; one of its callers has one, and a way out on loopback.
        return f"{name}@127.0.0.1:{ports[WAY_OUT]['egress']}"
    if name in ports:
        return f"127.0.0.1:{ports[name]['grpc']}"
    address: str = getattr(settings, f"{name}_address")
    return address
