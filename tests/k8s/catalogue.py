"""What runs: the processes that the code has, from images that cannot change."""

import re
from collections.abc import Iterator

from services.catalog import COMPOSITIONS, WORKERS

from .manifests import Manifests, container, name, title

APART = {"tweet", "graph", "timeline"}
"""Services with pods for reads and pods for writes."""
PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")


def processes(manifests: Manifests) -> Iterator[str]:
    """Every process of the catalogue runs, and nothing that is not in it."""
    known = {*COMPOSITIONS, "edge"}
    found: dict[str, set[str]] = {}
    for doc in manifests.services():
        process, *more = container(doc)["args"]
        if process not in known or more:
            yield f"{title(doc)}: runs {container(doc)['args']}"
        found.setdefault(process, set()).add(name(doc))
    yield from (f"{process} does not run" for process in known - set(found))
    for process in APART:
        if found.get(process) != {f"{process}-read", f"{process}-write"}:
            yield f"{process}: reads and writes are not apart"


def callable_by_name(manifests: Manifests) -> Iterator[str]:
    """Services have a Service of their name without an address of its own; workers have none."""
    services = {name(service): service for service in manifests.of("Service")}
    for doc in manifests.services():
        process = container(doc)["args"][0]
        service = services.get(name(doc))
        if process in WORKERS:
            if service is not None:
                yield f"{title(doc)}: nobody calls it, and it has a Service"
        elif service is None:
            yield f"{title(doc)}: has no Service"
        elif process != "edge" and service["spec"].get("clusterIP") != "None":
            yield f"{title(doc)}: its callers would keep to one replica"


def images(manifests: Manifests) -> Iterator[str]:
    """Every image is named by its digest."""
    for doc in manifests.workloads():
        if not PINNED.search(container(doc)["image"]):
            yield f"{title(doc)}: image {container(doc)['image']}"
