"""Whether what is asked for finds room when one of three zones is gone."""

from collections.abc import Iterator

from .manifests import Doc, Manifests, container, name, pod, title
from .pods import amount
from .spread import least

NODES, CPU, MEMORY = 2, 15.5, 58 * 2**30
"""A zone as docs/kubernetes.md plans it: nodes, and what pods may ask of one (16 CPUs, 64 GiB)."""


def fits(manifests: Manifests) -> Iterator[str]:
    """Everything that may move fits into the two zones that are left, the largest first."""
    left = [[CPU, MEMORY] for _ in range(2 * NODES)]
    for what, cpu, memory in sorted(_asked(manifests), key=lambda each: -each[2]):
        node = next((n for n in left if n[0] >= cpu and n[1] >= memory), None)
        if node is None:
            yield f"{what}: finds no room in two zones"
            continue
        node[0] -= cpu
        node[1] -= memory


def _asked(manifests: Manifests) -> Iterator[tuple[str, float, float]]:
    """Each pod that must run in two zones: of stores pinned to a zone, those of the other two."""
    for doc in manifests.workloads():
        if doc["kind"] not in {"Deployment", "StatefulSet"}:
            continue
        lost = name(doc) == "redis-a"
        for _ in range(0 if lost else least(manifests, doc)):
            yield title(doc), *_requests(container(doc)["resources"])
    for cluster in manifests.of("Cluster"):
        for _ in range(cluster["spec"]["instances"] - 1):
            yield title(cluster), *_requests(cluster["spec"]["resources"])


def _requests(resources: Doc) -> tuple[float, float]:
    requests = resources["requests"]
    return amount(requests["cpu"]), amount(requests["memory"])


def pinned(manifests: Manifests) -> Iterator[str]:
    """Redis has one set of nodes a zone, each pinned to its own."""
    zones = []
    for doc in manifests.of("StatefulSet"):
        if container(doc)["name"] == "redis":
            affinity = pod(doc)["affinity"]["nodeAffinity"]
            (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"][
                "nodeSelectorTerms"
            ]
            zones += term["matchExpressions"][0]["values"]
    if len(zones) != 3 or len(set(zones)) != 3:
        yield f"Redis: pinned to {zones}"


def databases(manifests: Manifests) -> Iterator[str]:
    """Each database has two candidates for its synchronous standby, a zone each, and backups."""
    backed_up = {doc["spec"]["cluster"]["name"] for doc in manifests.of("ScheduledBackup")}
    for doc in manifests.of("Cluster"):
        spec = doc["spec"]
        synchronous = spec["postgresql"].get("synchronous", {})
        good = {
            "instances": spec["instances"] >= 3,
            "synchronous": synchronous.get("number") == 1 and synchronous.get("method") == "any",
            "durability": synchronous.get("dataDurability") == "required",
            "quorum": synchronous.get("failoverQuorum") is True,
            "zones": spec["affinity"].get("topologyKey") == "topology.kubernetes.io/zone",
            "apart": spec["affinity"].get("podAntiAffinityType") == "required",
            "archive": any(plugin.get("isWALArchiver") for plugin in spec.get("plugins", [])),
            "backups": name(doc) in backed_up,
            "image": "@sha256:" in spec["imageName"],
        }
        yield from (f"{title(doc)}: {key}" for key, fine in good.items() if not fine)
    if not list(manifests.of("Cluster")):
        yield "no database"
