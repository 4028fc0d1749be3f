"""Rendered manifests, and the views of them that the checks take."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Doc = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")


@dataclass(frozen=True)
class Manifests:
    """What an overlay renders to."""

    docs: list[Doc]

    def copied(self) -> "Manifests":
        return Manifests(copy.deepcopy(self.docs))

    def of(self, kind: str) -> Iterator[Doc]:
        return (doc for doc in self.docs if doc["kind"] == kind)

    def one(self, kind: str, name: str) -> Doc:
        return next(doc for doc in self.of(kind) if doc["metadata"]["name"] == name)

    def workloads(self) -> Iterator[Doc]:
        return (doc for kind in WORKLOADS for doc in self.of(kind))

    def services(self) -> Iterator[Doc]:
        """The workloads that run Aviary itself."""
        return (doc for doc in self.workloads() if container(doc)["name"] == "replica")

    def values(self, doc: Doc) -> dict[str, str]:
        """A workload's settings as its process reads them; where a Secret has one, its name."""
        found: dict[str, str] = {}
        for source in container(doc).get("envFrom", []):
            found |= self.one("ConfigMap", source["configMapRef"]["name"]).get("data", {})
        for entry in container(doc).get("env", []):
            reference = entry.get("valueFrom", {})
            secret = reference.get("secretKeyRef", {}).get("name", "")
            found[entry["name"]] = entry.get("value", secret)
        return found


def name(doc: Doc) -> str:
    return str(doc["metadata"]["name"])


def title(doc: Doc) -> str:
    return f"{doc['kind']}/{name(doc)}"


def template(doc: Doc) -> Doc:
    spec = doc["spec"]["jobTemplate"]["spec"] if doc["kind"] == "CronJob" else doc["spec"]
    found: Doc = spec["template"]
    return found


def labels(doc: Doc) -> dict[str, str]:
    """The labels of a workload's pods."""
    found: dict[str, str] = template(doc).get("metadata", {}).get("labels", {})
    return found


def pod(doc: Doc) -> Doc:
    found: Doc = template(doc)["spec"]
    return found


def container(doc: Doc) -> Doc:
    """The one container of a workload's pods."""
    found: Doc
    (found,) = pod(doc)["containers"]
    return found


def matches(selector: Doc | None, of: dict[str, str]) -> bool:
    """Whether a label selector selects what has these labels."""
    if selector is None:
        return False
    for key, value in selector.get("matchLabels", {}).items():
        if of.get(key) != value:
            return False
    for each in selector.get("matchExpressions", []):
        value = of.get(each["key"])
        good = {
            "In": value in each.get("values", []),
            "NotIn": value not in each.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not good[each["operator"]]:
            return False
    return True


def empty(selector: Doc | None) -> bool:
    """Whether a selector says nothing, and so selects everything or nothing."""
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
