"""Redis clients by URL: one server, whichever Sentinel names as the primary, or a cluster.

`redis://`, `rediss://`, `unix://` as redis-py has them; `redis+sentinel://:PASSWORD@HOST:PORT,HOST:
PORT/NAME` asks the Sentinels, each time that it connects, who the primary called NAME is;
`redis+cluster://:PASSWORD@HOST:PORT,HOST:PORT` learns from any of these servers who has which keys.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import redis.asyncio as redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

Redis: TypeAlias = "redis.Redis"
SENTINEL, CLUSTER = "redis+sentinel", "redis+cluster"
SENTINEL_SECONDS = 0.3
"""How long one Sentinel may take before the next one is asked."""


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Redis]:  # noqa: ANN401
    """A client with redis-py's options for its connections.

    That of a cluster is a RedisCluster: it does what we use of a Redis, but for commands of several
    keys and transactions over several slots, and its `connection_pool` (see redis_exchange.py).
    """
    scheme = urlsplit(url).scheme
    if scheme == SENTINEL:
        async with _by_sentinels(url, options) as client:
            yield client
        return
    made: Any = (
        redis.Redis.from_url(url, **options) if scheme != CLUSTER else _cluster(url, options)
    )
    async with contextlib.aclosing(made) as client:
        yield client


def _cluster(url: str, options: dict[str, Any]) -> RedisCluster:
    places, _, password = _parts(url)
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in places],
        password=password,
        # What has no server for a moment must not stop the rest.
        require_full_coverage=False,
        **options,
    )


@contextlib.asynccontextmanager
async def _by_sentinels(url: str, options: dict[str, Any]) -> AsyncIterator[Redis]:
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
