"""The edges as a client sees them behind a load balancer: REST and gRPC, never a dead edge."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import aiohttp

from clients.channel import Peer, UnaryMethod, bearer
from services.chassis.background import running

CHECK_SECONDS = 0.3
CALL_SECONDS = 12.0
"""Longer than any deadline of the edge, so that it is the edge which says what took too long."""
Body: TypeAlias = dict[str, Any]


class Answer(NamedTuple):
    """An HTTP status (0: none came) and the body."""

    status: int
    body: Body


class Edges:
    """All edges: one that fails its health check is left, as a balancer leaves it."""

    def __init__(self, addresses: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._addresses = list(addresses)
        self._healthy = list(addresses)
        self._session = session
        self._turns = itertools.count()
        target = addresses[0] if len(addresses) == 1 else "ipv4:" + ",".join(addresses)
        self._peer = Peer("edge", target)

    async def rest(
        self, verb: str, path: str, token: str, body: Body | None = None, key: str = ""
    ) -> Answer:
        """A call; a read that broke, and whatever was never sent, is asked of another edge."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= {"idempotency-key": key} if key else {}
        for last in (False, True):
            url = f"http://{self._next()}{path}"
            try:
                async with self._session.request(verb, url, json=body, headers=headers) as reply:
                    return Answer(reply.status, await reply.json(content_type=None) or {})
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError, ValueError):
                if verb != "GET" or last:
                    break
        return Answer(0, {})

    def grpc(self, path: str, reply: type) -> UnaryMethod[Any]:
        """A native gRPC method, balanced over the edges by the channel."""
        return self._peer.unary(path, reply)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Check the edges' health as long as this is open."""
        async with self._peer, running(*map(self._watch, self._addresses)):
            yield

    def _next(self) -> str:
        healthy = self._healthy or self._addresses
        return healthy[next(self._turns) % len(healthy)]

    async def _watch(self, address: str) -> None:
        limit = aiohttp.ClientTimeout(total=1.0)
        while True:
            try:
                url = f"http://{address}/healthz"
                async with self._session.get(url, timeout=limit) as reply:
                    well = reply.status == 200
            except (aiohttp.ClientError, TimeoutError):
                well = False
            if well and address not in self._healthy:
                self._healthy.append(address)
            elif not well and address in self._healthy:
                self._healthy.remove(address)
            await asyncio.sleep(CHECK_SECONDS)


@contextlib.asynccontextmanager
async def open_edges(addresses: Sequence[str]) -> AsyncIterator[Edges]:
    """The edges, watched."""
    limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=20.0)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as session:
        edges = Edges(addresses, session)
        async with edges.watched():
            yield edges


def acting(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a gRPC call that acts for a user."""
    return bearer(token)
