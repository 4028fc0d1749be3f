"""Who reaches whom under the network policies, and who has to."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from services.catalog import COMPOSITIONS
from services.edge.contract import CLUSTERS

from .manifests import Doc, Manifests, container, labels, matches, name, title

Call = tuple[str, str, int]
"""Caller, callee, port."""


def reachable(manifests: Manifests) -> set[Call]:
    """Every pair of workloads of which the first may connect to a port of the second."""
    found = set()
    parties = dict(_parties(manifests))
    for callee, of in parties.items():
        for caller, by in parties.items():
            for port in _ports(manifests, callee):
                out = _allowed(manifests, "Egress", by, of, port)
                into = _allowed(manifests, "Ingress", of, by, port)
                if out and into:
                    found.add((caller, callee, port))
    return found


def open_to_the_world(manifests: Manifests) -> set[tuple[str, str]]:
    """Workloads that policies leave open: to anybody, or towards anybody outside."""
    found = set()
    for party, of in _parties(manifests):
        for direction, key in (("Ingress", "from"), ("Egress", "to")):
            for policy in _policies(manifests, direction, of):
                for rule in policy["spec"].get(direction.lower(), []):
                    peers = rule.get(key)
                    if not peers or any("ipBlock" in peer for peer in peers):
                        found.add((party, direction))
    return found


def closed(manifests: Manifests) -> Iterator[str]:
    """What no policy names is denied to every pod, of today and of tomorrow, in both directions."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        both = set(spec["policyTypes"]) == {"Ingress", "Egress"}
        if (
            spec["podSelector"] == {}
            and both
            and not spec.get("ingress")
            and not spec.get("egress")
        ):
            return
    yield "no policy that denies everything"


def needed(manifests: Manifests) -> set[Call]:
    """Every pair that the code and the settings make: clients in composition roots, and stores."""
    found = set()
    for doc in manifests.services():
        process, values = container(doc)["args"][0], manifests.values(doc)
        for address in _addresses(process, values):
            host, _, port = address.removeprefix("dns:///").rpartition(":")
            found |= {(name(doc), callee, int(port)) for callee in behind(manifests, host)}
        for setting in settings_read(process):
            if setting.endswith("_dsn") and values.get(f"AVIARY_{setting.upper()}"):
                store = setting.removesuffix("_dsn").removesuffix("_replica")
                found.add((name(doc), _database(manifests, store), 5432))
            if setting == "redis_url":
                found |= {(name(doc), *place) for place in _redis(manifests)}
    return found


def unknown_addresses(manifests: Manifests) -> Iterator[str]:
    """Addresses in the settings that no Service answers for."""
    for doc in manifests.services():
        for address in _addresses(container(doc)["args"][0], manifests.values(doc)):
            host, _, port = address.removeprefix("dns:///").rpartition(":")
            callees = behind(manifests, host)
            if not callees or any(int(port) not in _ports(manifests, each) for each in callees):
                yield f"{title(doc)}: nobody is at {address}"


def behind(manifests: Manifests, host: str) -> set[str]:
    """The workloads whose pods a host name leads to: a Service's, or one pod of a set."""
    first, _, rest = host.partition(".")
    if rest:
        sets = manifests.of("StatefulSet")
        owner = first.rpartition("-")[0]
        return {
            name(doc) for doc in sets if name(doc) == owner and rest == doc["spec"]["serviceName"]
        }
    for service in manifests.of("Service"):
        if name(service) == host:
            wanted = dict(service["spec"]["selector"])
            wanted.pop("topology.kubernetes.io/zone", None)
            docs = manifests.workloads()
            return {name(doc) for doc in docs if matches({"matchLabels": wanted}, labels(doc))}
    return set()


def secrets_given(manifests: Manifests) -> Iterator[str]:
    """A process is given the stores that it reads the settings of, and no others."""
    for doc in manifests.services():
        read = {
            f"AVIARY_{setting.upper()}"
            for setting in settings_read(container(doc)["args"][0])
            if setting.endswith(("_dsn", "redis_url")) and setting != "tweet_replica_dsn"
        }
        given = {
            entry["name"]
            for entry in container(doc)["env"]
            if entry["name"].endswith(("_DSN", "REDIS_URL")) and "valueFrom" in entry
        }
        if read != given:
            yield f"{title(doc)}: reads {sorted(read)}, is given {sorted(given)}"


def settings_read(process: str) -> set[str]:
    """The settings that a composition root names."""
    tree = _root(process)
    return (
        {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} if tree else set()
    )


def clients_of(process: str) -> set[str]:
    """The services whose clients a composition root constructs."""
    if process == "edge":
        return set(CLUSTERS.values())
    tree = _root(process)
    assert tree is not None
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return {each for each in CLUSTERS.values() if f"{each.capitalize()}Client" in called}


def _root(process: str) -> ast.Module | None:
    if process not in COMPOSITIONS:
        return None
    found = importlib.util.find_spec(COMPOSITIONS[process])
    assert found is not None
    assert found.origin is not None
    return ast.parse(Path(found.origin).read_text())


def _addresses(process: str, values: dict[str, str]) -> Iterator[str]:
    """Where a process connects to, setting by setting."""
    own = {process} & set(CLUSTERS.values()) if values.get("AVIARY_ENDPOINT_ZONES") else set()
    for service in clients_of(process) | own:
        if service == process == "search" and values.get("AVIARY_SEARCH_SHARDS"):
            shards = values.get("AVIARY_SEARCH_SHARDS", "")
            yield from (each for each in shards.replace(";", ",").split(",") if each)
            continue
        yield from values[f"AVIARY_{service.upper()}_ADDRESS"].split(",")
        writing = values.get(f"AVIARY_{service.upper()}_WRITE_ADDRESS", "")
        if process == "edge" and writing:
            yield from writing.split(",")


def _parties(manifests: Manifests) -> Iterator[tuple[str, dict[str, str]]]:
    """Workloads by name, with their pods' labels; databases of an operator among them."""
    for doc in manifests.workloads():
        yield name(doc), labels(doc)
    for cluster in manifests.of("Cluster"):
        yield name(cluster), {"cnpg.io/cluster": name(cluster)}


def _ports(manifests: Manifests, party: str) -> list[int]:
    for doc in manifests.workloads():
        if name(doc) == party:
            return [port["containerPort"] for port in container(doc).get("ports", [])]
    return [5432]


def _database(manifests: Manifests, store: str) -> str:
    clusters = [name(cluster) for cluster in manifests.of("Cluster")]
    return f"{store}-db" if clusters else "postgres"


def _redis(manifests: Manifests) -> Iterator[tuple[str, int]]:
    """Nodes, and Sentinels where there are some, with their ports for clients."""
    for party, of in _parties(manifests):
        if of.get("app.kubernetes.io/name") in {"redis", "redis-sentinel"}:
            yield party, _ports(manifests, party)[0]


def _policies(manifests: Manifests, direction: str, of: dict[str, str]) -> Iterator[Doc]:
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        everybody = spec["podSelector"] == {}
        if direction in spec["policyTypes"] and (everybody or matches(spec["podSelector"], of)):
            yield policy


def _allowed(
    manifests: Manifests, direction: str, of: dict[str, str], peer: dict[str, str], port: int
) -> bool:
    """Whether any rule for these pods names this peer, by its labels, and port."""
    key = "from" if direction == "Ingress" else "to"
    for policy in _policies(manifests, direction, of):
        for rule in policy["spec"].get(direction.lower(), []):
            ports = [each["port"] for each in rule.get("ports", [])]
            named = any(
                "namespaceSelector" not in each and matches(each.get("podSelector"), peer)
                for each in rule.get(key, [])
            )
            if named and (not ports or port in ports):
                return True
    return False
