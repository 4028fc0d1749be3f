"""What must hold of every pod: none of it is noticed by a schema, and little by a server."""

from collections.abc import Iterator
from typing import Any

from services.catalog import WORKERS
from services.chassis.config import Settings

from .manifests import Doc, Manifests, container, labels, matches, name, pod, title

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
WITH_TOKEN = {"drill"}
"""What may ask the API server: it has a role for that."""
FACTORS = {"m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "": 1.0}


def amount(text: object) -> float:
    """A quantity of Kubernetes as a number."""
    digits = str(text).rstrip("mKMGTi")
    return float(digits) * FACTORS[str(text)[len(digits) :]]


def ports(manifests: Manifests) -> Iterator[str]:
    """Names and numbers of ports are told once, and probes and Services ask for what is there."""
    for doc in manifests.workloads():
        listed = container(doc).get("ports", [])
        for key in ("name", "containerPort"):
            values = [port[key] for port in listed if key in port]
            if len(values) != len(set(values)):
                yield f"{title(doc)}: two ports with the same {key}"
        known = {port["containerPort"] for port in listed} | {port.get("name") for port in listed}
        for kind in PROBES:
            probe = container(doc).get(kind, {})
            for means in ("grpc", "httpGet", "tcpSocket"):
                if means in probe and probe[means]["port"] not in known:
                    yield f"{title(doc)}: {kind} asks port {probe[means]['port']}"
        for service in manifests.of("Service"):
            selector = {"matchLabels": service["spec"].get("selector") or {}}
            if selector["matchLabels"] and matches(selector, labels(doc)):
                for port in service["spec"]["ports"]:
                    if port.get("targetPort", port["port"]) not in known:
                        yield f"{title(doc)}: does not serve {port} of {title(service)}"


def served(manifests: Manifests) -> Iterator[str]:
    """The settings' ports are the container's, and every service is probed."""
    for doc in manifests.services():
        values = manifests.values(doc)
        edge = container(doc)["args"] == ["edge"]
        first = values["AVIARY_EDGE_PORT"] if edge else values["AVIARY_GRPC_PORT"]
        wanted = {int(first), int(values["AVIARY_METRICS_PORT"])}
        if (
            values.get("AVIARY_HEALTH_PORT")
            and not edge
            and container(doc)["args"][0] not in WORKERS
        ):
            wanted.add(int(values["AVIARY_HEALTH_PORT"]))
        found = {port["containerPort"] for port in container(doc).get("ports", [])}
        if wanted != found:
            yield f"{title(doc)}: listens on {wanted}, says {found}"
        if values["AVIARY_BIND_ADDRESS"] != "0.0.0.0":
            yield f"{title(doc)}: listens where nobody reaches it"
        for kind in PROBES:
            if kind not in container(doc):
                yield f"{title(doc)}: has no {kind}"


def restricted(manifests: Manifests) -> Iterator[str]:
    """The restricted Pod Security Standard, a read-only root, and no token of the API."""
    for doc in manifests.workloads():
        spec, inside = pod(doc), container(doc).get("securityContext", {})
        outside = spec.get("securityContext", {})
        good = {
            "runAsNonRoot": outside.get("runAsNonRoot") is True,
            "uid": outside.get("runAsUser", 0) >= 10000 and inside.get("runAsUser", 1) != 0,
            "seccomp": outside.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "escalation": inside.get("allowPrivilegeEscalation") is False,
            "privileged": not inside.get("privileged", False),
            "capabilities": inside.get("capabilities") == {"drop": ["ALL"]},
            "read-only root": inside.get("readOnlyRootFilesystem") is True,
            "token": spec.get("automountServiceAccountToken") is (name(doc) in WITH_TOKEN),
            "service links": spec.get("enableServiceLinks") is False,
            "host": not any(key.startswith("host") and spec[key] for key in spec),
            "volumes": not any("hostPath" in volume for volume in spec.get("volumes", [])),
        }
        yield from (f"{title(doc)}: {key}" for key, fine in good.items() if not fine)


def volumes(manifests: Manifests) -> Iterator[str]:
    """Every mount has its volume, every volume a mount, and what is written is no Secret."""
    for doc in manifests.workloads():
        made = [claim["metadata"]["name"] for claim in doc["spec"].get("volumeClaimTemplates", [])]
        listed = [volume["name"] for volume in pod(doc).get("volumes", [])] + made
        mounted = [mount["name"] for mount in container(doc).get("volumeMounts", [])]
        if sorted(listed) != sorted(mounted):
            yield f"{title(doc)}: volumes {sorted(listed)}, mounts {sorted(mounted)}"
        paths = [mount["mountPath"] for mount in container(doc).get("volumeMounts", [])]
        if len(paths) != len(set(paths)):
            yield f"{title(doc)}: two volumes at one path"


def resources(manifests: Manifests) -> Iterator[str]:
    """CPU and memory are asked for and limited, the first never above the second."""
    for doc in manifests.workloads():
        asked = container(doc).get("resources", {})
        for key in ("cpu", "memory"):
            request = asked.get("requests", {}).get(key)
            limit = asked.get("limits", {}).get(key)
            if request is None or limit is None:
                yield f"{title(doc)}: no request or limit of {key}"
            elif amount(request) > amount(limit):
                yield f"{title(doc)}: asks for {request} of {key}, may have {limit}"


def draining(manifests: Manifests) -> Iterator[str]:
    """A pod has time for preStop, the second for balancers, the calls in flight and Envoy's end."""
    for doc in manifests.services():
        pause = container(doc).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        if not pause.get("seconds"):
            yield f"{title(doc)}: does not wait until nobody sends"
        drain = float(manifests.values(doc)["AVIARY_DRAIN_SECONDS"])
        needed = pause.get("seconds", 0) + 1 + drain + 5
        if pod(doc).get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{title(doc)}: is killed before its {needed:g} s are over"


def settings(manifests: Manifests) -> Iterator[str]:
    """Every variable is one that the code reads, with a value that it takes."""
    for doc in manifests.services():
        values = manifests.values(doc)
        ours = {key: value for key, value in values.items() if key.startswith("AVIARY_")}
        for key in ("AVIARY_SEARCH_SHARD", "AVIARY_ZONE"):  # from the pod's labels
            ours[key] = "" if key in ours else ours.get(key, "")
        try:
            Settings.from_environ(ours)
        except ValueError as error:
            yield f"{title(doc)}: {error}"


def references(manifests: Manifests) -> Iterator[str]:
    """Accounts, ConfigMaps and Secrets exist, or are among those that are made outside."""
    made: Any = {
        kind: {name(doc) for doc in manifests.of(kind)} for kind in ("ConfigMap", "Secret")
    }
    made["Secret"] |= {f"{name(doc)}-app" for doc in manifests.of("Cluster")}
    made["Secret"] |= {doc["spec"]["secretName"] for doc in manifests.of("Certificate")}
    made["Secret"] |= OUTSIDE
    accounts = {name(doc) for doc in manifests.of("ServiceAccount")} | {"default"}
    for doc in manifests.workloads():
        if pod(doc).get("serviceAccountName", "default") not in accounts:
            yield f"{title(doc)}: no account {pod(doc)['serviceAccountName']}"
        for kind, wanted in _referenced(doc):
            if wanted not in made[kind]:
                yield f"{title(doc)}: no {kind} {wanted}"


OUTSIDE = {"aviary-signing", "aviary-jwks", "aviary-vapid", "backups", "mail", "object-store"}
"""Secrets that docs/kubernetes.md tells to make."""


def _referenced(doc: Doc) -> Iterator[tuple[str, str]]:
    for source in container(doc).get("envFrom", []):
        yield "ConfigMap", source["configMapRef"]["name"]
    for entry in container(doc).get("env", []):
        if "secretKeyRef" in entry.get("valueFrom", {}):
            yield "Secret", entry["valueFrom"]["secretKeyRef"]["name"]
    for volume in pod(doc).get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
