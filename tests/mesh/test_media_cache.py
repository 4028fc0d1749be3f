"""Content through a cache in front of the edge (S001-40)."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from string import Template

import httpx
import pytest

from services.chassis.hosts.process import envoy_binary
from tests.ports import free_port
from tests.tweet import samples

from .eventually import eventually
from .test_media import upload
from .world import World


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="avc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def cache(world: World, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An Envoy that keeps what it may, on its own port."""
    port = free_port()
    edge, edge_port = world.mesh.edge_url.removeprefix("http://").split(":")
    config = folder / "envoy.yaml"
    config.write_text(
        Template(Path(__file__).with_name("media_cache.yaml").read_text()).substitute(
            address="127.0.0.1",
            port=port,
            edge_address=edge,
            edge_port=edge_port,
        )
    )
    command = (envoy_binary(), "--config-path", str(config), "--use-dynamic-base-id")
    process = await asyncio.create_subprocess_exec(
        *command, "--log-level", "error", "--concurrency", "1"
    )
    try:
        await eventually(lambda: accepts(port), True)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.kill()
        await process.wait()


async def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def test_the_second_fetch_does_not_reach_the_edge(
    world: World, cache: httpx.AsyncClient
) -> None:
    """A hit has an age; a range of it is answered from the cache, too."""
    (me,) = await world.new_users(1)
    photo = await upload(world, me, samples.picture(size=(700, 500)))
    first = await cache.get(photo["url"])
    assert first.status_code == 200
    assert "age" not in first.headers

    async def hit() -> bool:
        return "age" in (await cache.get(photo["url"])).headers

    await eventually(hit, True)
    again = await cache.get(photo["url"])
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    part = await cache.get(photo["url"], headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, first.content[10:20])
