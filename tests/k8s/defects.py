"""One defect each, made in a copy of what is rendered for production, and who has to notice it."""

from collections.abc import Callable, Iterator
from typing import Any

from . import catalogue, identity, network, pods, room, spread, words
from .manifests import Doc, Manifests, container, pod, template

Check = Callable[[Manifests], Iterator[str]]
Defect = tuple[Check, Callable[[Manifests], Any]]
ZONE = "topology.kubernetes.io/zone"


def _read(manifests: Manifests) -> Doc:
    return manifests.one("Deployment", "timeline-read")


def _box(manifests: Manifests) -> Doc:
    return container(_read(manifests))


def _zone(manifests: Manifests) -> Doc:
    spread_over: list[Doc] = pod(_read(manifests))["topologySpreadConstraints"]
    return next(each for each in spread_over if each["topologyKey"] == ZONE)


def _budget(manifests: Manifests) -> Doc:
    found: Doc = manifests.one("PodDisruptionBudget", "timeline-read")["spec"]
    return found


def _policy(manifests: Manifests, name: str) -> Doc:
    found: Doc = manifests.one("NetworkPolicy", name)["spec"]
    return found


def _env(doc: Doc, name: str, value: str) -> None:
    box = container(doc)
    box["env"] = [entry for entry in box["env"] if entry["name"] != name]
    box["env"].append({"name": name, "value": value})


def _set(found: Doc, **values: Any) -> None:
    found.update(values)


def _lose(manifests: Manifests, kind: str, name: str) -> None:
    manifests.docs.remove(manifests.one(kind, name))


DEFECTS: dict[str, Defect] = {
    "probe on an absent port": (
        pods.ports, lambda m: _box(m)["readinessProbe"].update(grpc={"port": 8099})),
    "probe on an absent named port": (
        pods.ports, lambda m: container(m.one("Deployment", "edge"))["readinessProbe"]["httpGet"]
        .update(port="https")),
    "duplicate port name": (
        pods.ports, lambda m: _box(m)["ports"].append({"name": "grpc", "containerPort": 8083})),
    "duplicate port": (
        pods.ports, lambda m: _box(m)["ports"].append({"name": "other", "containerPort": 8081})),
    "target port that nobody serves": (
        pods.ports, lambda m: m.one("Service", "timeline-read")["spec"]["ports"][0]
        .update(targetPort="http")),
    "port of the settings not served": (
        pods.served, lambda m: _env(_read(m), "AVIARY_GRPC_PORT", "8089")),
    "listening on loopback": (
        pods.served, lambda m: _env(_read(m), "AVIARY_BIND_ADDRESS", "127.0.0.1")),
    "no liveness probe": (pods.served, lambda m: _box(m).pop("livenessProbe")),
    "uid 0 that says it is not root": (
        pods.restricted, lambda m: pod(_read(m))["securityContext"].update(runAsUser=0)),
    "uid 0 of the container": (
        pods.restricted, lambda m: _box(m)["securityContext"].update(runAsUser=0)),
    "root that can be written": (
        pods.restricted, lambda m: _box(m)["securityContext"].update(readOnlyRootFilesystem=False)),
    "a token of the API": (
        pods.restricted, lambda m: pod(_read(m)).pop("automountServiceAccountToken")),
    "the host's network": (pods.restricted, lambda m: pod(_read(m)).update(hostNetwork=True)),
    "capabilities kept": (
        pods.restricted, lambda m: _box(m)["securityContext"].pop("capabilities")),
    "mount without a volume": (pods.volumes, lambda m: pod(_read(m))["volumes"].pop()),
    "volume without a mount": (pods.volumes, lambda m: _box(m)["volumeMounts"].pop()),
    "asks for more than it may have": (
        pods.resources, lambda m: _box(m)["resources"]["requests"].update(memory="1Gi")),
    "no limit of memory": (pods.resources, lambda m: _box(m)["resources"]["limits"].pop("memory")),
    "killed while it drains": (
        pods.draining, lambda m: pod(_read(m)).update(terminationGracePeriodSeconds=30)),
    "no pause before the end": (pods.draining, lambda m: _box(m).pop("lifecycle")),
    "misspelt setting": (pods.settings, lambda m: _env(_read(m), "AVIARY_GRCP_PORT", "1")),
    "setting of another type": (pods.settings, lambda m: _env(_read(m), "AVIARY_POOL_SIZE", "x")),
    "account that is not there": (
        pods.references, lambda m: pod(_read(m)).update(serviceAccountName="replica")),
    "Secret that is not there": (pods.references, lambda m: _lose(m, "Secret", "redis")),
    "ConfigMap of another name": (
        pods.references, lambda m: _box(m)["envFrom"][0]["configMapRef"].update(name="settings")),
    "selector that does not fit": (
        spread.selectors, lambda m: template(_read(m))["metadata"]["labels"].update(
            {"app.kubernetes.io/name": "timeline"})),
    "empty selector of the spreading": (
        spread.selectors, lambda m: _zone(m).update(labelSelector={})),
    "spreading of nobody": (
        spread.selectors, lambda m: _zone(m).update(labelSelector={"matchLabels": {"app": "x"}})),
    "budget without a selector": (spread.selectors, lambda m: _budget(m).pop("selector")),
    "Service without a selector": (
        spread.selectors, lambda m: m.one("Service", "timeline-read")["spec"].pop("selector")),
    "two that claim the same pods": (
        spread.overlaps, lambda m: _read(m)["spec"].update(
            selector={"matchLabels": {"app.kubernetes.io/part-of": "aviary"}})),
    "no spreading over zones": (
        spread.zones, lambda m: pod(_read(m)).pop("topologySpreadConstraints")),
    "nodes of a lost zone count": (spread.zones, lambda m: _zone(m).pop("nodeTaintsPolicy")),
    "rollouts count all pods": (spread.zones, lambda m: _zone(m).pop("matchLabelKeys")),
    "minDomains": (spread.zones, lambda m: _zone(m).update(minDomains=3)),
    "required anti-affinity": (
        spread.zones, lambda m: pod(_read(m)).update(affinity={"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ZONE}]}})),
    "five minutes on a dead node": (
        spread.leaving, lambda m: pod(_read(m))["tolerations"][0].pop("tolerationSeconds")),
    "one replica": (spread.replicas, lambda m: m.one(
        "HorizontalPodAutoscaler", "timeline-read")["spec"].update(minReplicas=1)),
    "copies that differ": (spread.replicas, lambda m: m.one(
        "StatefulSet", "search-a")["spec"].update(replicas=3)),
    "budget that lets nobody go": (spread.budgets, lambda m: _budget(m).update(maxUnavailable=0)),
    "budget that lets all go": (spread.budgets, lambda m: _budget(m).update(maxUnavailable=3)),
    "no budget": (spread.budgets, lambda m: _lose(m, "PodDisruptionBudget", "timeline-read")),
    "autoscaler of nothing": (spread.scaling, lambda m: _lose(m, "Deployment", "timeline-read")),
    "count set beside an autoscaler": (
        spread.scaling, lambda m: _read(m)["spec"].update(replicas=3)),
    "rollout that takes away first": (
        spread.rollout, lambda m: _read(m)["spec"]["strategy"]["rollingUpdate"].update(
            maxUnavailable=1)),
    "search behind the template": (
        spread.template_kept, lambda m: pod(m.one("StatefulSet", "search-a")).update(
            priorityClassName="other")),
    "more than two zones hold": (
        room.fits, lambda m: _box(m)["resources"]["requests"].update(cpu="16")),
    "commits that wait for nobody": (
        room.databases, lambda m: m.one("Cluster", "tweet-db")["spec"]["postgresql"].pop(
            "synchronous")),
    "database without backups": (
        room.databases, lambda m: _lose(m, "ScheduledBackup", "graph-db")),
    "process that does not exist": (
        catalogue.processes, lambda m: _box(m).update(args=["timelines"])),
    "process that does not run": (catalogue.processes, lambda m: _lose(m, "Deployment", "trends")),
    "one address for all replicas": (
        catalogue.callable_by_name, lambda m: m.one("Service", "timeline-read")["spec"].pop(
            "clusterIP")),
    "another process's certificate": (
        identity.certificates, lambda m: next(
            volume for volume in pod(_read(m))["volumes"] if volume["name"] == "certificate"
        )["secret"].update(secretName="certificate-graph")),
    "certificate of another name": (
        identity.certificates, lambda m: m.one("Certificate", "certificate-edge")["spec"].update(
            uris=["spiffe://aviary/operator"])),
    "probe without a certificate": (
        identity.probed_in_the_clear, lambda m: _box(m)["readinessProbe"]["grpc"].update(
            port=8081)),
    "image by tag": (catalogue.images, lambda m: _box(m).update(image="aviary:1.2")),
    "image without a tag": (catalogue.images, lambda m: _box(m).update(image="aviary")),
    "no policy for a pod": (network.closed, lambda m: _lose(m, "NetworkPolicy", "deny-all")),
    "Secret that it does not need": (
        network.secrets_given, lambda m: _box(m)["env"].append({
            "name": "AVIARY_GRAPH_DSN",
            "valueFrom": {"secretKeyRef": {"name": "graph-db-app", "key": "uri"}}})),
    "address of nobody": (
        network.unknown_addresses, lambda m: _env(_read(m), "AVIARY_GRAPH_ADDRESS", "graph:8081")),
    "address with another port": (
        network.unknown_addresses,
        lambda m: _env(_read(m), "AVIARY_GRAPH_ADDRESS", "graph-read:80")),
    "old API version": (words.versions, lambda m: _read(m).update(apiVersion="apps/v1beta1")),
    "word that is none": (words.words, lambda m: _box(m).update(imagePullPolicy="Sometimes")),
    "type that is none": (
        words.words, lambda m: m.one("Service", "edge")["spec"].update(type="Loadbalancer")),
    "PreferClose, which is no more": (
        words.words, lambda m: m.one("Service", "edge")["spec"].update(
            trafficDistribution="PreferClose")),
    "pods of any kind": (
        words.namespaces, lambda m: m.one("Namespace", "aviary")["metadata"].update(labels={})),
    "another namespace": (
        words.namespaces, lambda m: _read(m)["metadata"].update(namespace="default")),
}  # fmt: skip

OPENINGS: dict[str, Callable[[Manifests], Any]] = {
    "a caller too many": lambda m: (
        _policy(m, "calls-to-notify")["ingress"][0]["from"].append({"podSelector": {}}),
        _policy(m, "calls-from-tweet")["egress"][0]["to"].append({"podSelector": {}}),
        _policy(m, "calls-to-notify")["ingress"][0].update(
            {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "aviary"}}}]}),
        _policy(m, "calls-from-tweet")["egress"][0].update(
            {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "aviary"}}}]}),
    ),
    "a caller too few": lambda m: _lose(m, "NetworkPolicy", "calls-to-graph-read"),
    "no way out for a caller": lambda m: _lose(m, "NetworkPolicy", "calls-from-search"),
    "another port": lambda m: _policy(m, "redis")["ingress"][0].update(ports=[{"port": 6380}]),
    "a database of others": lambda m: (
        _policy(m, "graph-db")["ingress"][0].update(
            {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "aviary"}}}]}),
        _policy(m, "to-graph-db").update(
            podSelector={"matchLabels": {"app.kubernetes.io/part-of": "aviary"}}),
    ),
}  # fmt: skip
"""Defects of the pairs, which one comparison has to notice."""
