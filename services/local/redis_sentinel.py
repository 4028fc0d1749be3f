"""Redis as three servers, a primary and its replicas, with three Sentinels that fail over.

They listen on loopback under a password that only the home's owner can read. Sentinel writes the
roles into the files of configuration, so a server that comes back knows what it has become.
"""

import secrets
from collections.abc import Iterable
from urllib.parse import quote

from services.local import folders, ports
from services.local.layout import Replica, spread
from services.local.process import Process
from services.local.redis_files import RedisFiles

SERVERS = 3
NAME = "aviary"
"""What Sentinel calls the primary."""
DOWN_AFTER_MS = 1_000
FAILOVER_MS = 5_000


class RedisSentinel:
    """The servers and Sentinels of one home."""

    def __init__(self, places: folders.Folders, zones: tuple[str, ...], address: str) -> None:
        self._files = RedisFiles(places, address, secrets.token_urlsafe(24))
        self._servers = spread("redis", SERVERS, zones)
        self._sentinels = spread("redis-sentinel", SERVERS, zones)
        every = [*self._servers, *self._sentinels]
        taken = ports.free_ports(len(every), address)
        self._ports = {row.name: port for row, port in zip(every, taken, strict=True)}

    @property
    def url(self) -> str:
        """What leads to whichever server is the primary."""
        files = self._files
        places = ",".join(f"{files.address}:{self._ports[row.name]}" for row in self._sentinels)
        return f"redis+sentinel://:{quote(files.password)}@{places}/{NAME}"

    def processes(self) -> list[Process]:
        """The rows that run them; their files are written when they are first started."""
        first = self._servers[0].name
        servers = [
            self._files.process(
                row,
                self._ports[row.name],
                self._server_lines(row),
                needs=() if row.name == first else (first,),
            )
            for row in self._servers
        ]
        needed = [row.name for row in self._servers]
        sentinels = [
            self._files.process(
                row,
                self._ports[row.name],
                self._sentinel_lines(),
                needs=needed,
                options=("--sentinel",),
            )
            for row in self._sentinels
        ]
        return [*servers, *sentinels]

    def _server_lines(self, row: Replica) -> Iterable[str]:
        yield from self._files.server_lines()
        # A primary that has been left alone takes no writes: they would be lost when it is demoted.
        yield from ("min-replicas-to-write 1", "min-replicas-max-lag 3")
        if row.number > 1:
            yield f"replicaof {self._files.address} {self._ports[self._servers[0].name]}"

    def _sentinel_lines(self) -> Iterable[str]:
        password = self._files.password
        primary = f"{self._files.address} {self._ports[self._servers[0].name]}"
        yield f"sentinel sentinel-pass {password}"
        yield f"sentinel monitor {NAME} {primary} {SERVERS // 2 + 1}"
        yield f"sentinel auth-pass {NAME} {password}"
        yield f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}"
        yield f"sentinel failover-timeout {NAME} {FAILOVER_MS}"
        yield f"sentinel parallel-syncs {NAME} {SERVERS}"
