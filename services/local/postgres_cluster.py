"""PostgreSQL as three servers: a primary, a synchronous standby and an asynchronous one.

A commit is answered when one standby has it on disk, too. When the primary ends, the standby that
received most is promoted: with `FIRST 1` that one has every answered commit, provided that both can
be asked; otherwise the primary is started again where it is. Its data are made anew from the new
primary before it returns, so that two can never serve. Clients name all three and take the one that
can be written (`target_session_attrs`).
"""

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from services.local import folders, postgres_data, postgres_programs
from services.local.accounts import unprivileged
from services.local.layout import Replica, spread
from services.local.postgres_server import (
    DATA,
    PRIMARY,
    STANDBY_SIGNAL,
    USER,
    EmbeddedPostgres,
    primary_of,
)
from services.local.process import Process

SERVERS = 3
PARAMETERS = {
    "shared_buffers": "32MB",
    "max_connections": "400",
    "max_wal_senders": "10",
    "wal_keep_size": "512MB",
    "wal_retrieve_retry_interval": "200ms",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
}
ASK_SECONDS = 2.0
"""A standby that does not say so soon what it has counts as away."""
PAUSE = 0.2
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Node:
    """One of the servers."""

    replica: Replica
    server: EmbeddedPostgres

    @property
    def application(self) -> str:
        """What it calls itself to a primary."""
        return self.replica.name.replace(".", "_")


class PostgresCluster:
    """The three servers of one home, and which of them is the primary."""

    def __init__(self, places: folders.Folders, zones: tuple[str, ...]) -> None:
        self._places = places
        account = unprivileged(places.postgres / primary_of(places))
        self._programs = postgres_programs.install(places.postgres, account)
        self.nodes = [
            Node(replica, EmbeddedPostgres(data, places.sockets / replica.name, account))
            for replica in spread("postgres", SERVERS, zones)
            for data in [places.postgres / _folder(replica)]
        ]
        self.primary = next(
            node for node in self.nodes if node.server.data.name == primary_of(places)
        )
        self._copied: set[str] = set()
        self.promotions = 0

    def dsn(self, database: str) -> str:
        """The connection string that leads to whichever server is the primary."""
        return make_conninfo(
            host=",".join(str(node.server.socket_folder) for node in self.nodes),
            port=",".join("5432" for _ in self.nodes),
            dbname=database,
            user=USER,
            target_session_attrs="read-write",
        )

    @property
    def asynchronous(self) -> Node:
        """The standby that no commit waits for at the start: the last one."""
        return next(node for node in reversed(self.nodes) if node is not self.primary)

    def processes(self) -> list[Process]:
        """The rows that run them; the standbys are made from the primary when it is up."""
        return [self._process(node) for node in self.nodes]

    def _process(self, node: Node) -> Process:
        names = ", ".join(other.application for other in self.nodes if other is not node)
        parameters = PARAMETERS | {
            "synchronous_standby_names": f"FIRST 1 ({names})",
            "primary_conninfo": f"{self.dsn('replication')} application_name={node.application}",
        }
        row = node.server.process(self._places, parameters)
        first = node is self.primary
        return replace(
            row,
            name=node.replica.name,
            zone=node.replica.zone,
            hold=self._places.hold_file(node.replica.name),
            needs=frozenset() if first else frozenset({self.primary.replica.name}),
            prepare=partial(self._prepare, node),
            complete=row.complete if first else None,
            ended=partial(self._ended, node),
        )

    async def _prepare(self, node: Node) -> None:
        """A primary keeps its data; a standby is a copy, made once and again after a demotion."""
        server = node.server
        if node is self.primary:
            await server.prepare(self._programs)
        elif node.replica.name not in self._copied:
            await postgres_data.copy(
                server.data, server.socket_folder, self._programs, server.account,
                self.primary.server.dsn("postgres"),
            )  # fmt: skip
            postgres_data.mark(server.data / STANDBY_SIGNAL, server.account)
            self._copied.add(node.replica.name)
        else:
            await postgres_data.await_previous(server.data)

    async def _ended(self, node: Node) -> None:
        """Promote another server if this was the primary and both others can be asked."""
        if node is not self.primary:
            return
        others = [other for other in self.nodes if other is not node]
        while True:
            received = await asyncio.gather(*(_received(other) for other in others))
            known = [place for place in received if place is not None]
            if len(known) == len(others):
                break
            hold = self._places.hold_file(node.replica.name)
            if not hold.exists():
                return
            await asyncio.sleep(PAUSE)
        await self._promote(others[received.index(max(known))], node)

    async def _promote(self, chosen: Node, old: Node) -> None:
        started = time.monotonic()
        half = self._places.postgres / f"{PRIMARY}.new"
        half.write_text(chosen.server.data.name)
        half.replace(self._places.postgres / PRIMARY)
        self.primary = chosen
        self._copied.discard(old.replica.name)
        self._copied.discard(chosen.replica.name)
        try:
            await _ask(chosen, "SELECT pg_promote(true, 10)")
        except psycopg.Error as error:  # it ended meanwhile: it is started as the primary
            log.warning("promotion not confirmed", server=chosen.replica.name, why=str(error))
        self.promotions += 1
        seconds = round(time.monotonic() - started, 3)
        log.info("promoted", server=chosen.replica.name, old=old.replica.name, seconds=seconds)


def _folder(replica: Replica) -> str:
    return DATA if replica.number == 1 else f"{DATA}-{replica.number}"


async def _received(node: Node) -> int | None:
    """How far a standby's log reaches, in bytes; None where it does not answer."""
    try:
        row = await _ask(
            node,
            "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn",
        )
    except (psycopg.Error, TimeoutError):
        return None
    return int(row[0]) if row[0] is not None else None


async def _ask(node: Node, statement: str) -> tuple[Any, ...]:
    async with asyncio.timeout(ASK_SECONDS * 6 if "promote" in statement else ASK_SECONDS):
        dsn = node.server.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            row = await (await connection.execute(statement.encode())).fetchone()
            return row or (None,)
