"""The drill that cuts a link needs a mesh of its own, with the link in its way to Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random

from services.chassis.config import Settings
from services.local.drills.drill import Drill, Fault
from services.local.drills.link import Link
from services.local.drills.report import Limits
from services.local.drills.target import FaultMissingError, Target
from services.local.folders import temporary_home
from services.local.mesh import running
from services.local.ports import free_ports
from services.local.redis_server import embedded_redis

CUT_SECONDS = 8.0
ADDRESS = "127.0.0.1"
NAME = "cut"


@contextlib.asynccontextmanager
async def linked_mesh() -> AsyncIterator[tuple[Target, Drill]]:
    """A mesh whose Redis is behind a link, and the drill that cuts it."""
    (port,) = free_ports(1, ADDRESS)
    url = f"redis://{ADDRESS}:{port}"
    with temporary_home() as home:
        settings = replace(Settings(), home=home / "mesh", edge_port=0, redis_url=url)
        async with (
            embedded_redis(home / "redis") as redis,
            Link(redis.socket).listening(ADDRESS, port) as link,
            running(settings),
        ):
            yield Target(settings.home), Drill(NAME, "3, 4", cutting(link), Limits())


def cutting(link: Link) -> Fault:
    """The fault: nothing passes for a while, and nobody is told."""

    async def fault(_target: Target, _random: Random) -> str:
        link.cut()
        try:
            await asyncio.sleep(CUT_SECONDS)
        finally:
            link.mend()
        if not link.swallowed:
            raise FaultMissingError("nobody used the link")
        return f"cut the link to Redis for {CUT_SECONDS:.0f} s, {link.swallowed} bytes swallowed"

    return fault
