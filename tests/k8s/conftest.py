"""Every overlay, rendered once."""

from pathlib import Path

import pytest
import yaml

from . import tools
from .manifests import Manifests

K8S = Path(__file__).parents[2] / "k8s"
PLACES = {
    "dev": K8S / "overlays" / "dev",
    "production": K8S / "overlays" / "production",
    "redis": Path(__file__).parent / "overlays" / "redis",
}
"""Overlays, and one of the tests' own for components that no overlay has."""


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """What each overlay renders to, as YAML."""
    kubectl = tools.kubectl()
    return {name: tools.run([kubectl, "kustomize", place]) for name, place in PLACES.items()}


@pytest.fixture(scope="session")
def overlays(texts: dict[str, str]) -> dict[str, Manifests]:
    """What each overlay renders to."""
    return {name: Manifests(list(yaml.safe_load_all(text))) for name, text in texts.items()}


@pytest.fixture(params=PLACES)
def overlay(request: pytest.FixtureRequest, overlays: dict[str, Manifests]) -> Manifests:
    """One overlay after the other."""
    return overlays[request.param]


@pytest.fixture
def production(overlays: dict[str, Manifests]) -> Manifests:
    """Three zones."""
    return overlays["production"]
