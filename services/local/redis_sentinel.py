"""Redis as three servers, a primary and its replicas, with three Sentinels that fail over.

They listen on loopback under a password that only the home's owner can read. Sentinel writes the
roles into the files of configuration, so a server that comes back knows what it has become.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from services.local import folders, ports
from services.local.layout import Replica, spread
from services.local.probes import Probe, ProbeKind
from services.local.process import Process
from services.local.redis_server import program

SERVERS = 3
NAME = "aviary"
"""What Sentinel calls the primary."""
DOWN_AFTER_MS = 1_000
FAILOVER_MS = 5_000


class RedisSentinel:
    """The servers and Sentinels of one home."""

    def __init__(self, places: folders.Folders, zones: tuple[str, ...], address: str) -> None:
        self._places = places
        self._address = address
        self._password = secrets.token_urlsafe(24)
        self._servers = spread("redis", SERVERS, zones)
        self._sentinels = spread("redis-sentinel", SERVERS, zones)
        every = [*self._servers, *self._sentinels]
        taken = ports.free_ports(len(every), address)
        self._ports = {row.name: port for row, port in zip(every, taken, strict=True)}

    @property
    def url(self) -> str:
        """What leads to whichever server is the primary."""
        places = ",".join(f"{self._address}:{self._ports[row.name]}" for row in self._sentinels)
        return f"redis+sentinel://:{quote(self._password)}@{places}/{NAME}"

    def processes(self) -> list[Process]:
        """The rows that run them; their files are written when they are first started."""
        first = self._servers[0].name
        servers = [
            self._process(row, self._server_lines(row), () if row.name == first else (first,))
            for row in self._servers
        ]
        needed = tuple(row.name for row in self._servers)
        sentinels = [
            self._process(row, self._sentinel_lines(), needed, "--sentinel")
            for row in self._sentinels
        ]
        return [*servers, *sentinels]

    def _process(
        self, row: Replica, lines: Iterable[str], needs: tuple[str, ...], *options: str
    ) -> Process:
        port = self._ports[row.name]
        folder = self._places.run / row.name
        config = folder / "redis.conf"
        common = (
            f"bind {self._address}", f"port {port}", f"requirepass {self._password}",
            f"dir {folder}",
        )  # fmt: skip
        written = False

        async def prepare() -> None:
            nonlocal written
            if not written:  # later ones go on with what Sentinel has written into it
                _write(config, (*common, *lines))
                written = True

        url = f"redis://:{quote(self._password)}@{self._address}:{port}"
        return Process(
            name=row.name,
            zone=row.zone,
            argv=(str(program()), str(config), *options),
            environ={"LC_ALL": "C"},
            probe=Probe(ProbeKind.REDIS, url),
            needs=frozenset(needs),
            ports={"redis": port},
            grace_seconds=5.0,
            prepare=prepare,
            hold=self._places.hold_file(row.name),
        )

    def _server_lines(self, row: Replica) -> Iterable[str]:
        yield from ('save ""', "appendonly no", f"masterauth {self._password}")
        # A primary that has been left alone takes no writes: they would be lost when it is demoted.
        yield from ("min-replicas-to-write 1", "min-replicas-max-lag 3")
        yield from ("repl-diskless-sync yes", "repl-diskless-sync-delay 0")
        if row.number > 1:
            yield f"replicaof {self._address} {self._ports[self._servers[0].name]}"

    def _sentinel_lines(self) -> Iterable[str]:
        primary = f"{self._address} {self._ports[self._servers[0].name]}"
        yield f"sentinel sentinel-pass {self._password}"
        yield f"sentinel monitor {NAME} {primary} {SERVERS // 2 + 1}"
        yield f"sentinel auth-pass {NAME} {self._password}"
        yield f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}"
        yield f"sentinel failover-timeout {NAME} {FAILOVER_MS}"
        yield f"sentinel parallel-syncs {NAME} {SERVERS}"


def _write(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))
