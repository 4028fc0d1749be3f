"""Our own checks of the rendered manifests; test_defects.py shows that each of them can fail."""

from collections.abc import Callable, Iterator

import pytest

from . import catalogue, identity, network, pods, room, spread, words
from .manifests import Manifests

Check = Callable[[Manifests], Iterator[str]]
EVERYWHERE: tuple[Check, ...] = (
    catalogue.callable_by_name, catalogue.processes, network.closed, network.secrets_given,
    network.unknown_addresses, pods.draining, pods.ports, pods.references, pods.resources,
    pods.restricted, pods.served, pods.settings, pods.volumes, spread.budgets, spread.leaving,
    spread.overlaps, spread.rollout, spread.selectors, spread.template_kept, words.namespaces,
    words.versions, words.words,
)  # fmt: skip
IN_PRODUCTION: tuple[Check, ...] = (
    catalogue.images, identity.certificates, identity.probed_in_the_clear, room.databases,
    room.fits, spread.replicas, spread.scaling, spread.zones,
)  # fmt: skip


@pytest.mark.parametrize("check", EVERYWHERE, ids=lambda check: check.__name__)
def test_everywhere(overlay: Manifests, check: Check) -> None:
    assert list(check(overlay)) == []


@pytest.mark.parametrize("check", IN_PRODUCTION, ids=lambda check: check.__name__)
def test_in_production(production: Manifests, check: Check) -> None:
    assert list(check(production)) == []


def test_redis_cluster_has_a_master_a_zone(overlays: dict[str, Manifests]) -> None:
    assert list(room.pinned(overlays["production"])) == []


def test_policies_allow_exactly_what_the_code_needs(overlay: Manifests) -> None:
    between = {call for call in network.reachable(overlay) if not _within(call)}
    assert between == {call for call in network.needed(overlay) if not _within(call)}


def test_only_the_edge_is_open_and_few_go_out(overlay: Manifests) -> None:
    out = {("notifier", "Egress"), ("tweet-read", "Egress"), ("tweet-write", "Egress")}
    databases = {(cluster["metadata"]["name"], "Egress") for cluster in overlay.of("Cluster")}
    drills = {(job["metadata"]["name"], "Egress") for job in overlay.of("CronJob")}
    assert network.open_to_the_world(overlay) == {("edge", "Ingress"), *out, *databases, *drills}


def _within(call: network.Call) -> bool:
    """Nodes of Redis, instances of databases, and shards of one copy, among themselves."""
    caller, callee, _ = call
    redis = caller.startswith("redis") and callee.startswith("redis")
    return redis or caller == callee
