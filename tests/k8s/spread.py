"""What must hold so that a zone, a node or a rollout takes nothing away that matters."""

from collections.abc import Iterator

from .manifests import Doc, Manifests, container, empty, labels, matches, name, pod, title

ZONE = "topology.kubernetes.io/zone"
HASH = "pod-template-hash"
TOLERATED = 20
GONE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def selectors(manifests: Manifests) -> Iterator[str]:
    """No selector is empty, and each selects what it is there for."""
    for doc in manifests.workloads():
        chosen = doc["spec"].get("selector")
        if doc["kind"] in {"Deployment", "StatefulSet"} and (
            empty(chosen) or not matches(chosen, labels(doc))
        ):
            yield f"{title(doc)}: its selector does not select its own pods"
        for each in pod(doc).get("topologySpreadConstraints", []):
            selector = each.get("labelSelector")
            if empty(selector) or not matches(selector, labels(doc)):
                yield f"{title(doc)}: spreads other pods over {each['topologyKey']} than its own"
    for service in manifests.of("Service"):
        wanted = service["spec"].get("selector") or {}
        known = any(matches({"matchLabels": wanted}, each) for each in _all_labels(manifests))
        if not wanted or not known:
            yield f"{title(service)}: selects nobody"
    for budget in manifests.of("PodDisruptionBudget"):
        selector = budget["spec"].get("selector")
        if empty(selector) or not any(matches(selector, each) for each in _all_labels(manifests)):
            yield f"{title(budget)}: protects nobody"


def overlaps(manifests: Manifests) -> Iterator[str]:
    """No two workloads claim the same pods."""
    docs = [doc for doc in manifests.workloads() if "selector" in doc["spec"]]
    for doc in docs:
        for other in docs:
            if other is not doc and matches(doc["spec"]["selector"], labels(other)):
                yield f"{title(doc)}: claims the pods of {title(other)}"


def _all_labels(manifests: Manifests) -> Iterator[dict[str, str]]:
    """Labels of all pods that there will be, in each zone, also of those that an operator makes."""
    for doc in manifests.workloads():
        yield labels(doc)
        for zone in ("zone-a", "zone-b", "zone-c"):
            yield labels(doc) | {ZONE: zone}
    for cluster in manifests.of("Cluster"):
        for number in range(1, cluster["spec"]["instances"] + 1):
            yield {
                "cnpg.io/cluster": name(cluster),
                "cnpg.io/instanceName": f"{name(cluster)}-{number}",
            }


def zones(manifests: Manifests) -> Iterator[str]:
    """Every service is spread over the zones, and can be again when one is lost."""
    for doc in manifests.services():
        found = {each["topologyKey"]: each for each in _constraints(doc)}
        zone = found.get(ZONE)
        if zone is None or zone.get("whenUnsatisfiable") != "DoNotSchedule":
            yield f"{title(doc)}: is not spread over zones"
            continue
        for each in found.values():
            if each.get("nodeTaintsPolicy") != "Honor":
                yield f"{title(doc)}: counts the nodes of a lost zone"
            if "minDomains" in each:
                yield f"{title(doc)}: minDomains keeps replacements Pending"
            if doc["kind"] == "Deployment" and each.get("matchLabelKeys") != [HASH]:
                yield f"{title(doc)}: a rollout counts old and new pods together"
        for term in _required_apart(doc):
            if term["topologyKey"] == ZONE and not term.get("matchLabelKeys"):
                yield f"{title(doc)}: required anti-affinity over zones keeps replacements Pending"


def leaving(manifests: Manifests) -> Iterator[str]:
    """The pods of a dead node are replaced soon."""
    for doc in manifests.services():
        found = {each["key"]: each.get("tolerationSeconds") for each in pod(doc)["tolerations"]}
        for key in GONE:
            if found.get(key) != TOLERATED:
                yield f"{title(doc)}: tolerates {key} for {found.get(key)} s"


def least(manifests: Manifests, doc: Doc) -> int:
    """How many replicas there are at least."""
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == name(doc):
            return int(scaler["spec"]["minReplicas"])
    return int(doc["spec"].get("replicas", 1))


def replicas(manifests: Manifests) -> Iterator[str]:
    """Three of every service; of search as many copies of each shard as there are sets, two."""
    sets = [doc for doc in manifests.services() if doc["kind"] == "StatefulSet"]
    if len({least(manifests, doc) for doc in sets}) != 1 or len(sets) < 2:
        yield "search: the copies differ, or there is only one"
    for doc in manifests.services():
        if doc["kind"] == "Deployment" and least(manifests, doc) < 3:
            yield f"{title(doc)}: has {least(manifests, doc)} replicas"


def budgets(manifests: Manifests) -> Iterator[str]:
    """Every service has one budget, which lets one go and keeps the rest."""
    for doc in manifests.services():
        found = [
            budget
            for budget in manifests.of("PodDisruptionBudget")
            if matches(budget["spec"].get("selector"), labels(doc))
        ]
        if len(found) != 1:
            yield f"{title(doc)}: {len(found)} budgets"
            continue
        spec = found[0]["spec"]
        gone = spec.get("maxUnavailable", least(manifests, doc) - spec.get("minAvailable", 0))
        if not 0 < gone < max(2, least(manifests, doc)):
            yield f"{title(doc)}: {gone} of {least(manifests, doc)} may be taken away"


def scaling(manifests: Manifests) -> Iterator[str]:
    """An autoscaler has its Deployment, whose count is nobody else's; least is below most."""
    deployments = {name(doc): doc for doc in manifests.of("Deployment")}
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        spec = scaler["spec"]
        target = deployments.get(spec["scaleTargetRef"]["name"])
        if target is None:
            yield f"{title(scaler)}: scales nothing"
        elif "replicas" in target["spec"]:
            yield f"{title(scaler)}: each apply sets {title(target)} back"
        if not spec["minReplicas"] <= spec["maxReplicas"]:
            yield f"{title(scaler)}: least above most"


def rollout(manifests: Manifests) -> Iterator[str]:
    """A rollout takes no capacity away, and goes on only with pods that stay ready."""
    for doc in manifests.services():
        if not doc["spec"].get("minReadySeconds"):
            yield f"{title(doc)}: goes on with pods that have just become ready"
        if doc["kind"] == "Deployment":
            rolling = doc["spec"].get("strategy", {}).get("rollingUpdate", {})
            if rolling.get("maxUnavailable") != 0:
                yield f"{title(doc)}: a rollout takes replicas away first"


def _constraints(doc: Doc) -> list[Doc]:
    found: list[Doc] = pod(doc).get("topologySpreadConstraints", [])
    return found


def _required_apart(doc: Doc) -> list[Doc]:
    affinity = pod(doc).get("affinity", {}).get("podAntiAffinity", {})
    found: list[Doc] = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    return found


def template_kept(manifests: Manifests) -> Iterator[str]:
    """Search's pods are not made from the template, and must not fall behind it."""
    model = manifests.one("Deployment", "timeline-read")
    same = ("securityContext", "tolerations", "terminationGracePeriodSeconds", "priorityClassName")
    for doc in manifests.services():
        if doc["kind"] != "StatefulSet":
            continue
        for key in same:
            if pod(doc).get(key) != pod(model).get(key):
                yield f"{title(doc)}: another {key}"
        for key in ("securityContext", "livenessProbe", "readinessProbe", "lifecycle", "ports"):
            if container(doc).get(key) != container(model).get(key):
                yield f"{title(doc)}: another {key}"
