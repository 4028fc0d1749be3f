"""Words that Kubernetes takes: a schema lets any string pass for most of them."""

from collections.abc import Iterator
from typing import Any

from .manifests import Manifests, title

VERSIONS = {
    "ConfigMap": "v1", "CronJob": "batch/v1", "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2", "Job": "batch/v1", "Namespace": "v1",
    "NetworkPolicy": "networking.k8s.io/v1", "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1", "Secret": "v1", "Service": "v1",
    "ServiceAccount": "v1", "StatefulSet": "apps/v1",
    "Cluster": "postgresql.cnpg.io/v1", "ScheduledBackup": "postgresql.cnpg.io/v1",
    "ObjectStore": "barmancloud.cnpg.io/v1", "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "Certificate": "cert-manager.io/v1", "Issuer": "cert-manager.io/v1",
}  # fmt: skip
"""Every kind that is used, and the version of it; of Kubernetes' own a schema is there, too."""
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Equal")
WORDS = {
    "imagePullPolicy": ("IfNotPresent", "Always", "Never"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "nodeTaintsPolicy": ("Honor", "Ignore"),
    "nodeAffinityPolicy": ("Honor", "Ignore"),
    "unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "podManagementPolicy": ("Parallel", "OrderedReady"),
    "trafficDistribution": ("PreferSameZone", "PreferSameNode"),
    "externalTrafficPolicy": ("Local", "Cluster"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "effect": ("NoExecute", "NoSchedule", "PreferNoSchedule"),
    "operator": OPERATORS,
    "fsGroupChangePolicy": ("OnRootMismatch", "Always"),
    "whenDeleted": ("Delete", "Retain"),
    "whenScaled": ("Delete", "Retain"),
    "selectPolicy": ("Max", "Min", "Disabled"),
    "concurrencyPolicy": ("Forbid", "Allow", "Replace"),
    "policyTypes": ("Ingress", "Egress"),
    "accessModes": ("ReadWriteOnce", "ReadWriteOncePod"),
}
TYPES = {
    "Service": {"ClusterIP", "LoadBalancer", "NodePort"},
    "Deployment": {"RollingUpdate", "Recreate", "RuntimeDefault"},
    "StatefulSet": {"RollingUpdate", "RuntimeDefault"},
    "Job": {"RuntimeDefault"},
    "CronJob": {"RuntimeDefault"},
    "Secret": {"Opaque"},
    "HorizontalPodAutoscaler": {
        "Pods", "Percent", "Resource", "External", "Utilization", "AverageValue", "Value",
    },
}  # fmt: skip
"""What `type` may say, by kind."""


def versions(manifests: Manifests) -> Iterator[str]:
    """Every object is of a kind and version that we know to exist."""
    for doc in manifests.docs:
        if VERSIONS.get(doc["kind"]) != doc["apiVersion"]:
            yield f"{title(doc)}: apiVersion {doc['apiVersion']}"


def words(manifests: Manifests) -> Iterator[str]:
    """Every word of a fixed set is of that set."""
    for doc in manifests.docs:
        if doc["apiVersion"].split("/")[0].endswith((".coreos.com", "cnpg.io", "cert-manager.io")):
            continue
        for key, value in _entries(doc):
            if key in WORDS and value not in WORDS[key]:
                yield f"{title(doc)}: {key} {value}"
            if key == "type" and doc["kind"] in TYPES and value not in TYPES[doc["kind"]]:
                yield f"{title(doc)}: type {value}"


def _entries(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            elif isinstance(inner, list):
                yield from ((key, each) for each in inner if isinstance(each, str))
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


def namespaces(manifests: Manifests) -> Iterator[str]:
    """Everything is once in our namespace, where only restricted pods may run."""
    seen = set()
    for doc in manifests.docs:
        if doc["kind"] == "Namespace":
            level = doc["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
            if level != "restricted":
                yield f"{title(doc)}: pods are held to {level}"
        elif doc["kind"] != "PriorityClass" and doc["metadata"].get("namespace") != "aviary":
            yield f"{title(doc)}: in namespace {doc['metadata'].get('namespace')}"
        if title(doc) in seen:
            yield f"{title(doc)}: is there twice"
        seen.add(title(doc))
