"""A database server for each service (S001-77): one that is away takes only its own with it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh, running
from services.local.postgres_separate import name_of
from services.local.postgres_server import DATABASES

from .eventually import eventually
from .test_notifications import kinds
from .test_notifications import name_of as user_name_of
from .world import World

Check = Callable[[], Awaitable[bool]]


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    """A mesh with five database servers."""
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    settings = Settings(home=home, edge_port=0, local_databases="separate")
    try:
        async with (
            running(settings) as mesh,
            httpx.AsyncClient(base_url=mesh.edge_url, timeout=15) as api,
        ):
            yield World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def away(mesh: Mesh, database: str) -> AsyncIterator[None]:
    """A server that is killed and stays down, and is there again behind this."""
    server = name_of(database)
    hold, restarts = mesh.folders.hold_file(server), mesh.restarts(server)
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    mesh.kill(server)
    try:
        with pytest.raises(psycopg.OperationalError):
            while True:
                await (await psycopg.AsyncConnection.connect(mesh.dsn(database))).close()
        yield
    finally:
        hold.unlink()
        await mesh.until_healthy(server, restarts=restarts + 1)


class Somebody:
    """A user whom another one follows, and what either does; each answers whether it worked."""

    def __init__(self, world: World, name: str, author: int, follower: int, *others: int) -> None:
        self.world, self.name = world, name
        self.author, self.follower, self._others = author, follower, list(others)
        self._number = 0

    async def posts(self) -> bool:
        self._number += 1
        return bool(await self._post(f"word{self._number}"))

    async def is_delivered(self) -> bool:
        """Posted, and in the follower's home."""
        tweet_id = await self._post("delivered")
        await eventually(partial(self._home_begins_with, tweet_id), True)
        return True

    async def is_found(self) -> bool:
        """Posted, and found by search."""
        self._number += 1
        word = f"found{self.author}x{self._number}"
        tweet_id = await self._post(word)

        async def found() -> list[int]:
            reply = await self._get("/api/v1/search", query=word)
            return [int(tweet["tweet_id"]) for tweet in reply.json()["tweets"]]

        await eventually(found, [tweet_id])
        return True

    async def is_told(self) -> bool:
        """Mentioned, and told of it."""
        before = await self._told()
        await self._post(f"@{self.name}")
        await eventually(self._told, before + 1)
        return True

    async def follows(self) -> bool:
        path = f"/api/v1/users/{self.follower}/following/{self._others.pop()}"
        await self.world.act(self.follower, "PUT", path)
        return True

    async def reads_home(self) -> bool:
        reply = await self._get("/api/v1/home_timeline", user_id=str(self.follower))
        return reply.status_code == 200 and bool(reply.json()["tweets"])

    async def reads_inbox(self) -> bool:
        reply = await self._get(f"/api/v1/users/{self.follower}/notifications")
        return reply.status_code == 200

    async def _told(self) -> int:
        return len(await kinds(self.world, self.follower))

    async def _post(self, text: str) -> int:
        return int((await self.world.post(self.author, text))["tweet_id"])

    async def _home_begins_with(self, tweet_id: int) -> bool:
        reply = await self._get("/api/v1/home_timeline", user_id=str(self.follower))
        return bool(reply.json()["tweets"][0]["tweet_id"] == str(tweet_id))

    async def _get(self, path: str, **query: str) -> httpx.Response:
        headers = self.world.auth(self.follower)
        return await self.world.api.get(path, params=query, headers=headers)


@pytest.fixture
async def somebody(world: World) -> Somebody:
    author, follower, *others = await world.new_users(200)
    await world.follow([(follower, author)])
    made = Somebody(world, await user_name_of(world, follower), author, follower, *others)
    await made.posts()
    await made.is_delivered()
    return made


async def test_each_server_has_its_database_alone(world: World) -> None:
    """S001-77: five servers, as many processes, and no table of another service's on any."""
    assert len({world.mesh.pid(name_of(database)) for database in DATABASES}) == len(DATABASES)
    for database in DATABASES:
        rows = await world.sql(
            database, "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
        )
        assert [row[0] for row in rows] == sorted(["postgres", database])


async def test_everything_works(somebody: Somebody) -> None:
    for works in (somebody.is_delivered, somebody.is_found, somebody.is_told, somebody.follows):
        assert await works()


NEEDS = {
    "reads_home": set[str](),
    "posts": {"tweet"},
    "is_delivered": {"tweet", "graph"},
    "is_found": {"tweet", "graph"},
    "is_told": {"tweet", "graph", "notify"},
    "follows": {"graph"},
    "reads_inbox": {"notify"},
}
"""Whose servers it takes to do each thing; Search's and Timeline's are asked at the start.

Home comes first: a follow that was tried in vain has put aside what Graph's cache has of both.
"""
SOON_REFUSED = ("posts", "follows", "reads_inbox")
"""What is refused at once, and so can be asked for without what it needs."""


@pytest.mark.parametrize("database", DATABASES)
async def test_one_that_is_away_takes_only_its_own_with_it(
    somebody: Somebody, database: str
) -> None:
    """S001-77: all that does not need it goes on meanwhile, and the rest comes back with it."""
    async with away(somebody.world.mesh, database):
        for what, servers in NEEDS.items():
            if database not in servers:
                assert await getattr(somebody, what)(), what
            elif what in SOON_REFUSED:
                assert not await _works(getattr(somebody, what)), what
    for what in SOON_REFUSED:
        await eventually(partial(_works, getattr(somebody, what)), True)
    for what in NEEDS:
        assert await getattr(somebody, what)(), what


async def test_what_happens_meanwhile_is_told_afterwards(somebody: Somebody) -> None:
    """S001-77: Notify's server is away when somebody is mentioned; the log keeps it."""
    async with away(somebody.world.mesh, "notify"):
        await somebody._post(f"@{somebody.name} meanwhile")
        assert not await somebody.reads_inbox()
    await eventually(partial(_works, somebody.reads_inbox), True)
    await eventually(somebody._told, 1)


async def _works(check: Check) -> bool:
    try:
        return await check()
    except AssertionError:
        return False
