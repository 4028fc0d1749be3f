"""Replicated Redis servers: a row each, and a file of configuration that they may rewrite."""

import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from services.local import folders
from services.local.layout import Replica
from services.local.probes import Probe, ProbeKind
from services.local.process import Process
from services.local.redis_server import program


@dataclass(frozen=True, slots=True)
class RedisFiles:
    """What the servers of one home have in common; the password is in their files alone."""

    places: folders.Folders
    address: str
    password: str

    def url(self, port: int) -> str:
        """One server's own URL."""
        return f"redis://:{quote(self.password)}@{self.address}:{port}"

    def process(
        self,
        row: Replica,
        port: int,
        lines: Iterable[str],
        *,
        needs: Iterable[str] = (),
        options: tuple[str, ...] = (),
        complete: Callable[[], Awaitable[None]] | None = None,
    ) -> Process:
        """The row that runs a server; its file is written before its first start alone."""
        folder = self.places.run / row.name
        config = folder / "redis.conf"
        common = (f"bind {self.address}", f"port {port}", f"requirepass {self.password}",
                  f"dir {folder}")  # fmt: skip
        written = False

        async def prepare() -> None:
            nonlocal written
            if not written:  # later starts go on with what the servers have written into it
                shutil.rmtree(folder, ignore_errors=True)
                _write(config, (*common, *lines))
                written = True

        return Process(
            name=row.name,
            zone=row.zone,
            argv=(str(program()), str(config), *options),
            environ={"LC_ALL": "C"},
            probe=Probe(ProbeKind.REDIS, self.url(port)),
            needs=frozenset(needs),
            ports={"redis": port},
            grace_seconds=5.0,
            prepare=prepare,
            complete=complete,
            hold=self.places.hold_file(row.name),
        )

    def server_lines(self) -> Iterable[str]:
        """What every server that holds data is told: nothing is kept on disk."""
        yield from ('save ""', "appendonly no", f"masterauth {self.password}")
        yield from ("repl-diskless-sync yes", "repl-diskless-sync-delay 0")


def _write(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))
