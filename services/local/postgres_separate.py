"""Federation on one machine: a PostgreSQL server for each database."""

from collections.abc import Iterable
from dataclasses import replace

from services.local.accounts import unprivileged
from services.local.errors import DatabasesElsewhereError
from services.local.folders import Folders
from services.local.postgres_server import DATA, DATABASES, EmbeddedPostgres
from services.local.process import Process

PARAMETERS = {"shared_buffers": "32MB"}
"""Five servers are to take no more memory than one."""


def name_of(database: str) -> str:
    """The name of the process that serves a database."""
    return f"postgres-{database}"


def at(places: Folders, databases: Iterable[str]) -> dict[str, EmbeddedPostgres]:
    """Name the servers of these databases."""
    return {name: _server(places, name) for name in databases}


def process(server: EmbeddedPostgres, places: Folders) -> Process:
    """The row that runs one of them."""
    row = server.process(places, PARAMETERS)
    return replace(row, hold=places.hold_file(server.name))


def check(places: Folders, *, separate: bool) -> None:
    """Refuse a home whose databases are laid out in the other way: they would seem to be empty."""
    single = places.postgres / DATA
    folders = [single] if separate else [single.with_name(f"{DATA}-{name}") for name in DATABASES]
    for folder in folders:
        if folder.exists():
            raise DatabasesElsewhereError(folder, "single" if separate else "separate")


def _server(places: Folders, database: str) -> EmbeddedPostgres:
    data, name = places.postgres / f"{DATA}-{database}", name_of(database)
    return EmbeddedPostgres(data, places.sockets / name, unprivileged(data), name, (database,))
