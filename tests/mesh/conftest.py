"""The whole mesh, once a session, and clients of its edge."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh, running

from .world import World


@pytest.fixture(scope="session")
async def mesh() -> AsyncIterator[Mesh]:
    """Every process of the mesh, in a home with a short path."""
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    try:
        async with running(Settings(home=home, edge_port=0, push_allow_private=True)) as started:
            yield started
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def api(mesh: Mesh) -> AsyncIterator[httpx.AsyncClient]:
    """REST through the edge."""
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=mesh.edge_url, timeout=15, limits=limits) as client:
        yield client


@pytest.fixture(scope="session")
def world(mesh: Mesh, api: httpx.AsyncClient) -> World:
    """What a test does to the mesh."""
    return World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
