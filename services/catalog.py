"""The processes of the mesh by name, and where each one's composition root is."""

import importlib

from services.chassis.server import Compose

COMPOSITIONS = {
    "tweet": "services.tweet.main",
    "graph": "services.graph.main",
    "timeline": "services.timeline.main",
    "fanout": "services.timeline.worker",
    "search": "services.search.main",
    "trends": "services.search.trends.worker",
    "notify": "services.notify.main",
    "notifier": "services.notify.worker",
}
WORKERS = {"fanout", "trends", "notifier"}
"""What answers hardly any call: the plain host is enough."""


def composition_of(name: str) -> Compose:
    """The composition root of a service, or of a module that is named in full."""
    module = name if "." in name else COMPOSITIONS[name]
    compose: Compose = importlib.import_module(module).compose
    return compose
