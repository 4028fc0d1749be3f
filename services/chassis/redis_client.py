"""Redis clients by URL: one server, or whichever Sentinel names as the primary.

`redis://`, `rediss://`, `unix://` as redis-py has them; `redis+sentinel://:PASSWORD@HOST:PORT,HOST:
PORT/NAME` asks the Sentinels, each time that it connects, who the primary called NAME is.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

Redis: TypeAlias = "redis.Redis"
SENTINEL = "redis+sentinel"
SENTINEL_SECONDS = 0.3
"""How long one Sentinel may take before the next one is asked."""


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Redis]:  # noqa: ANN401
    """A client with redis-py's options for its connections."""
    if urlsplit(url).scheme != SENTINEL:
        async with contextlib.aclosing(redis.Redis.from_url(url, **options)) as client:
            yield client
        return
    places, name, password = _parts(url)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        places,
        sentinel_kwargs={
            "password": password,
            "socket_timeout": SENTINEL_SECONDS,
            "socket_connect_timeout": SENTINEL_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        },
        password=password,
        **options,
    )
    async with sentinels, contextlib.aclosing(sentinels.master_for(name)) as client:
        yield client


def _parts(url: str) -> tuple[list[tuple[str, int]], str, str | None]:
    """Addresses, name of the primary, password."""
    split = urlsplit(url)
    secret, _, listed = split.netloc.rpartition("@")
    pairs = [place.rpartition(":") for place in listed.split(",")]
    password = unquote(secret.partition(":")[2]) or None
    return [(host, int(port)) for host, _, port in pairs], split.path.strip("/"), password
