"""Redis Cluster: three primaries with a share of the keys each, and a replica of each elsewhere.

A primary that does not answer is replaced by its replica, by the vote of the other primaries. The
shares are dealt out once the six servers run, with the cluster's own commands.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.local import folders, ports
from services.local.errors import ClusterFailedError
from services.local.layout import spread
from services.local.process import Process
from services.local.redis_files import RedisFiles

PRIMARIES, SERVERS = 3, 6
SLOTS = 16_384
NODE_TIMEOUT_MS = 1_500
FORM_SECONDS = 20.0
PAUSE = 0.1


class RedisCluster:
    """The servers of one home."""

    def __init__(self, places: folders.Folders, zones: tuple[str, ...], address: str) -> None:
        self._files = RedisFiles(places, address, secrets.token_urlsafe(24))
        self._rows = spread("redis", SERVERS, zones)
        self._ports = ports.free_bus_ports(SERVERS, address)

    @property
    def url(self) -> str:
        """What leads to all of them."""
        places = ",".join(f"{self._files.address}:{port}" for port in self._ports)
        return f"redis+cluster://:{quote(self._files.password)}@{places}"

    def processes(self) -> list[Process]:
        """The rows that run them; the last one makes a cluster of all."""
        first = [row.name for row in self._rows[:-1]]
        return [
            self._files.process(
                row,
                port,
                (*self._files.server_lines(), *self._lines()),
                needs=first if row is self._rows[-1] else (),
                complete=self.form if row is self._rows[-1] else None,
            )
            for row, port in zip(self._rows, self._ports, strict=True)
        ]

    def _lines(self) -> Iterable[str]:
        yield from ("cluster-enabled yes", "cluster-config-file nodes.conf")
        yield f"cluster-node-timeout {NODE_TIMEOUT_MS}"
        # What has no server for a moment must not stop the rest.
        yield "cluster-require-full-coverage no"

    async def form(self) -> None:
        """Deal the slots out, introduce the servers, and give each primary its replica."""
        try:
            async with asyncio.timeout(FORM_SECONDS), self._clients() as clients:
                await self._form(clients)
        except (RedisError, OSError, TimeoutError) as error:
            raise ClusterFailedError(str(error) or "it took too long") from error

    async def _form(self, clients: list[Redis]) -> None:
        share = SLOTS // PRIMARIES + 1
        for number, client in enumerate(clients):
            await _ask(client, "CLUSTER SET-CONFIG-EPOCH", number + 1)
            slots = range(number * share, min(SLOTS, (number + 1) * share))
            if slots:
                await _ask(client, "CLUSTER ADDSLOTS", *slots)
        for port in self._ports[1:]:
            await _ask(clients[0], "CLUSTER MEET", self._files.address, port)
        for client in clients:
            await _until(client, {"cluster_known_nodes": str(SERVERS)})
        names = [str((await _ask(client, "CLUSTER MYID")).decode()) for client in clients]
        for number, client in enumerate(clients[PRIMARIES:]):
            # The next one, so that with three zones a replica is in another zone than its primary.
            primary = names[(number + 1) % PRIMARIES]
            await _until_known(client, primary)
            await _ask(client, "CLUSTER REPLICATE", primary)
        for client in clients:
            await _until(client, {"cluster_state": "ok", "cluster_slots_assigned": str(SLOTS)})
        for client in clients[PRIMARIES:]:
            await _until_linked(client)

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[list[Redis]]:
        async with contextlib.AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(Redis.from_url(self._files.url(port)))
                for port in self._ports
            ]


async def _ask(client: Redis, *command: str | int) -> Any:  # noqa: ANN401 - whatever it answers
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def _until(client: Redis, wanted: dict[str, str]) -> None:
    found: dict[str, str] = {}
    while not wanted.items() <= found.items():
        await asyncio.sleep(PAUSE)
        found = dict(await _ask(client, "CLUSTER INFO"))


async def _until_known(client: Redis, name: str) -> None:
    while name not in str(await _ask(client, "CLUSTER NODES")):  # noqa: ASYNC110 - as above
        await asyncio.sleep(PAUSE)


async def _until_linked(client: Redis) -> None:
    link = "master_link_status"
    while (await client.info("replication")).get(link) != "up":  # noqa: ASYNC110 - as above
        await asyncio.sleep(PAUSE)
