"""Each check notices the defect that it is there for: none of them is unable to fail."""

import pytest

from . import network, room
from .defects import DEFECTS, OPENINGS
from .manifests import Manifests
from .test_assertions import EVERYWHERE, IN_PRODUCTION


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_noticed(production: Manifests, defect: str) -> None:
    check, spoil = DEFECTS[defect]
    spoilt = production.copied()
    spoil(spoilt)
    assert list(check(spoilt))


def test_every_check_has_its_defect() -> None:
    assert {check for check, _ in DEFECTS.values()} == {*EVERYWHERE, *IN_PRODUCTION}


def test_two_masters_in_one_zone_are_noticed(overlays: dict[str, Manifests]) -> None:
    spoilt = overlays["production"].copied()
    spoilt.docs.remove(spoilt.one("StatefulSet", "redis-c"))
    assert list(room.pinned(spoilt))


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_wrong_pair_is_noticed(production: Manifests, opening: str) -> None:
    needed = network.needed(production)
    assert needed <= network.reachable(production)
    spoilt = production.copied()
    OPENINGS[opening](spoilt)
    changed = network.reachable(spoilt) ^ network.reachable(production)
    assert changed


def test_a_door_to_the_world_is_noticed(production: Manifests) -> None:
    spoilt = production.copied()
    policy = spoilt.one("NetworkPolicy", "calls-to-notify")
    policy["spec"]["ingress"][0].pop("from")
    opened = network.open_to_the_world(spoilt) - network.open_to_the_world(production)
    assert opened == {("notify", "Ingress")}
