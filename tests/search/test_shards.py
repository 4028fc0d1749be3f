"""Four shards: killed, hung, emptied, and asked as one (S000-69, S000-70, promise 17)."""

import asyncio
import itertools
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from clients.search import SearchClient
from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh, running
from tests.mesh.eventually import eventually
from tests.mesh.world import World

SHARDS = 4
TWEETS = 60


@dataclass
class Shards:
    """A mesh with four shards that all hold something."""

    mesh: Mesh
    world: World
    api: httpx.AsyncClient
    user: int
    ids: list[int]

    async def search(self, query: str = "quokka", **params: str) -> dict[str, Any]:
        asked = {"query": query, "page_size": "100", "sort": "latest", **params}
        reply = await self.api.get("/api/v1/search", params=asked)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def found(self, query: str = "quokka") -> list[int]:
        return sorted(int(tweet["tweet_id"]) for tweet in (await self.search(query))["tweets"])

    async def counts(self) -> dict[int, int]:
        """Tweets by shard, of those that answer."""
        path = "/api/v1/admin/search_shards"
        shards = (await self.world.act(self.user, "GET", path, operator=True))["shards"]
        return {s["shard"]: int(s["tweet_count"]) for s in shards if s["reachable"]}


@pytest.fixture(scope="module")
async def shards() -> AsyncIterator[Shards]:
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    settings = Settings(home=home, edge_port=0, local_search_shards=SHARDS)
    parts = ("tweet", "graph", "search", "edge")
    try:
        async with (
            running(settings, services=parts) as mesh,
            httpx.AsyncClient(base_url=mesh.edge_url, timeout=15) as api,
        ):
            world = World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
            [user] = await world.new_users(1)
            posts = [await world.post(user, f"quokka number {n}") for n in range(TWEETS)]
            made = Shards(mesh, world, api, user, sorted(int(t["tweet_id"]) for t in posts))
            await eventually(made.found, made.ids)
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def test_every_shard_holds_a_part(shards: Shards) -> None:
    async def shares() -> tuple[list[int], int]:
        counts = await shards.counts()
        return sorted(counts), sum(counts.values())

    await eventually(shares, (list(range(SHARDS)), len(shards.ids)))
    assert min((await shards.counts()).values()) > 0


async def test_a_killed_shard_is_named_and_loses_no_request(shards: Shards) -> None:
    """Killing 1 of 4 shards under load: every request is answered, and says what is missing."""
    ended = asyncio.Event()
    answers: list[dict[str, Any]] = []

    async def ask(number: int) -> None:
        while not ended.is_set():
            answers.append(await shards.search(f"quokka -nothing{number}{len(answers)}"))

    load = [asyncio.create_task(ask(number)) for number in range(4)]
    await asyncio.sleep(0.5)
    before = len(answers)
    restarts = shards.mesh.restarts("search-2")
    shards.mesh.kill("search-2")
    await shards.mesh.until_healthy("search-2", restarts=restarts + 1)
    ended.set()
    await asyncio.gather(*load)
    missing = [answer["unreachable"] for answer in answers[before:]]
    assert ["shard-2"] in missing
    assert {tuple(names) for names in missing} <= {(), ("shard-2",)}
    assert all(answer["partial"] == bool(answer["unreachable"]) for answer in answers)
    assert min(len(answer["tweets"]) for answer in answers) >= TWEETS // 2
    await eventually(shards.found, shards.ids)


async def test_a_hung_shard_is_named(shards: Shards) -> None:
    hung = family(shards.mesh.pid("search-1"))
    send(hung, signal.SIGSTOP)
    try:
        await eventually(lambda: states(hung), {psutil.STATUS_STOPPED})
        async with SearchClient(shards.mesh.address("search")) as other:
            numbers = itertools.count()

            async def missing() -> list[str]:
                answer = await other.search(f"quokka -hung{next(numbers)}")
                assert answer.tweets
                return list(answer.unreachable)

            await eventually(missing, ["shard-1"])
    finally:
        send(hung, signal.SIGCONT)
    await eventually(shards.found, shards.ids)


def family(pid: int) -> list[psutil.Process]:
    """A service's process, and Envoy, its child, with the Python inside."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


async def states(processes: list[psutil.Process]) -> set[str]:
    return {process.status() for process in processes}


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)


async def test_a_lost_shard_is_rebuilt_while_the_others_answer(shards: Shards) -> None:
    await shards.mesh.stop("search-3")
    folder = shards.mesh.folders.home / "search" / f"shard-3-of-{SHARDS}"
    held = (await shards.counts()).get(0)
    shutil.rmtree(folder)
    page = await shards.search("quokka number")
    assert page["unreachable"] == ["shard-3"]
    assert 0 < len(page["tweets"]) < TWEETS
    await shards.mesh.start("search-3")
    await eventually(shards.found, shards.ids)
    counts = await shards.counts()
    assert counts.get(0) == held


async def crash(mesh: Mesh) -> None:
    """kill -9 of the process of shard 0, and its restart."""
    restarts = mesh.restarts("search")
    mesh.kill("search")
    await mesh.until_healthy("search", restarts=restarts + 1)


async def test_kills_while_indexing_lose_and_double_nothing(shards: Shards) -> None:
    """kill -9 between index and commit, many times."""
    posted: list[int] = []
    for round_ in range(4):
        for number in range(8):
            tweet = await shards.world.post(shards.user, f"wombat {round_} {number}")
            posted.append(int(tweet["tweet_id"]))
        await asyncio.sleep(0.1 * (round_ % 4))
        await crash(shards.mesh)
    gone = posted[::5]
    for tweet_id in gone:
        await shards.world.act(shards.user, "DELETE", f"/api/v1/tweets/{tweet_id}")
    await crash(shards.mesh)
    left = sorted(set(posted) - set(gone))

    async def wombats() -> list[int]:
        return await shards.found("wombat")

    await eventually(wombats, left)

    async def total() -> int:
        return sum((await shards.counts()).values())

    await eventually(total, len(shards.ids) + len(left))


async def test_places_are_asked_of_every_shard(shards: Shards) -> None:
    """S003-20: a circle and a box cross to the other processes."""
    posted: list[int] = []
    for number in range(16):
        here = {"longitude": 179.99 if number % 2 else -179.99, "latitude": 30.0}
        tweet = await shards.world.post(shards.user, f"numbat {number}", location=here)
        posted.append(int(tweet["tweet_id"]))
    await shards.world.post(shards.user, "numbat", location={"longitude": 0, "latitude": 30})
    await eventually(lambda: shards.found("numbat near:180,30,5km"), sorted(posted))
    await eventually(lambda: shards.found("numbat bbox:179.9,29,180,31"), sorted(posted[1::2]))
