"""Promise 28: a backup and the log since give back a moment exactly, timelines included."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local import folders, postgres_data, postgres_programs, postgres_server
from services.local.accounts import unprivileged
from services.local.folders import Folders, temporary_home
from services.local.mesh import Mesh, running
from tests.mesh.world import World

SERVICES = ("tweet", "graph", "timeline", "fanout", "edge")
DATABASES = ("tweet", "graph", "timeline")
ALIVE = {"event_members", "event_cursors", "snowflake_workers", "crossing_lease", "deletions"}
"""Tables in which running processes say that they run, or how far their cleaning up is."""
MOMENT = "before the accident"
SECONDS = 60.0


@contextlib.asynccontextmanager
async def archiving(programs: Path, dsn: str, archive: Path) -> AsyncIterator[None]:
    """The log, as it is written; `archive_command` would wait for whole segments."""
    archive.mkdir(mode=0o755)
    argv = (str(programs / "bin" / "pg_receivewal"), "-d", dsn, "-D", str(archive), "--no-loop")
    process = await asyncio.create_subprocess_exec(*argv)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()
    for segment in archive.iterdir():
        segment.chmod(0o644)


async def archived(archive: Path, dsn: str) -> None:
    """End the segment that is being written, and wait for it."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
        (segment,) = await cursor.fetchone() or ("",)
        await connection.execute("SELECT pg_switch_wal()")
    async with asyncio.timeout(SECONDS):
        while not (archive / segment).exists():
            await asyncio.sleep(0.1)


async def digests(mesh: Mesh) -> dict[str, str]:
    """A checksum of each table's rows, whatever their order."""
    found = {}
    for database in DATABASES:
        async with await psycopg.AsyncConnection.connect(mesh.dsn(database)) as connection:
            tables = await connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') ORDER BY relname"
            )
            for (table,) in await tables.fetchall():
                if table in ALIVE:
                    continue
                rows = f"md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t"
                row = await connection.execute(f"SELECT count(*), {rows}".encode())
                found[f"{database}.{table}"] = str(await row.fetchone())
    return found


async def settled(mesh: Mesh) -> dict[str, str]:
    """The checksums once no worker changes anything any more."""
    async with asyncio.timeout(SECONDS):
        before = await digests(mesh)
        while True:
            await asyncio.sleep(1.0)
            after = await digests(mesh)
            if after == before:
                return after
            before = after


async def timelines(world: World, users: list[int]) -> list[list[Any]]:
    """What everybody reads at home and on their own page."""
    return [
        [(await world.act(user, "GET", f"/api/v1/{page}?user_id={user}&page_size=100"))["tweets"]]
        for user in users
        for page in ("home_timeline", "user_timeline")
    ]


def restored(base: Path, archive: Path) -> None:
    """Say up to where the log is to be replayed: then the server serves by itself."""
    account = unprivileged(base)
    with (base / "postgresql.auto.conf").open("a") as settings:
        print(f"restore_command = 'cp {archive}/%f %p'", file=settings)
        print(f"recovery_target_name = '{MOMENT}'", file=settings)
        print("recovery_target_action = 'promote'", file=settings)
    postgres_data.mark(base / "recovery.signal", account)


def settings(places: Folders) -> Settings:
    """Of either mesh; tweets name where they are to be read, which is the same place."""
    return Settings(home=places.home, edge_port=0, public_url="https://aviary.test")


@contextlib.contextmanager
def two_homes() -> Iterator[tuple[Folders, Folders]]:
    with temporary_home() as first, temporary_home() as second:
        yield folders.prepare(first), folders.prepare(second)


async def test_a_moment_is_restored_exactly(tmp_path: Path) -> None:
    with two_homes() as (old, new):
        archive, base = new.home / "archive", new.postgres / postgres_server.DATA
        async with contextlib.AsyncExitStack() as stack:
            mesh = await stack.enter_async_context(running(settings(old), services=SERVICES))
            api = await stack.enter_async_context(httpx.AsyncClient(base_url=mesh.edge_url))
            world = World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
            users = await world.new_users(6)
            await world.follow((a, b) for a in users for b in users if a != b)
            await world.post_all(users, "before the backup")
            source = make_conninfo(mesh.dsn("tweet"), dbname="postgres")
            account = unprivileged(base)
            programs = postgres_programs.install(new.postgres, account)
            async with archiving(programs, source, archive):
                await postgres_data.copy(base, new.sockets / "postgres", programs, account, source)
                await world.post_all(users, "since the backup")
                gone = await world.post(users[0], "deleted since")
                await world.act(users[0], "DELETE", f"/api/v1/tweets/{gone['tweet_id']}")
                kept = await world.post(users[1], "kept", request_id="once")
                truth, shown = await settled(mesh), await timelines(world, users)
                async with await psycopg.AsyncConnection.connect(source, autocommit=True) as sql:
                    await sql.execute("SELECT pg_create_restore_point(%s)", (MOMENT,))
                await world.post(users[2], "after the moment")
                async with await psycopg.AsyncConnection.connect(mesh.dsn("tweet")) as sql:
                    await sql.execute("TRUNCATE tweets CASCADE")
                await archived(archive, source)
        restored(base, archive)
        shutil.copytree(old.home / "keys", new.home / "keys")
        async with (
            running(settings(new), services=SERVICES) as mesh,
            httpx.AsyncClient(base_url=mesh.edge_url) as api,
        ):
            world = World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
            assert await digests(mesh) == truth
            assert await timelines(world, users) == shown
            again = await world.post(users[1], "kept", request_id="once")
            assert again["tweet_id"] == kept["tweet_id"]
            newest = await world.post(users[3], "and on it goes")
            assert int(newest["tweet_id"]) > int(kept["tweet_id"])
