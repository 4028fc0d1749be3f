"""The embedded PostgreSQL and Redis."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest
from redis.asyncio import Redis

from services.local import accounts, folders, postgres_programs
from services.local.errors import DataFolderError, HomeUnusableError
from services.local.mesh import Mesh, stores
from services.local.redis_server import embedded_redis
from tests.embedded import embedded_postgres
from tests.local.conftest import gone, tree


async def ask(dsn: str, statement: str) -> object:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        found = await connection.execute(statement.encode())
        row = await found.fetchone() if found.description else None
        return row[0] if row else None


async def test_databases_are_separate_and_survive_a_restart(empty_home: Path) -> None:
    async with embedded_postgres(empty_home) as postgres:
        await ask(postgres.dsn("tweet"), "CREATE TABLE kept AS SELECT 7 AS n")
    async with embedded_postgres(empty_home) as postgres:
        assert await ask(postgres.dsn("tweet"), "SELECT n FROM kept") == 7
        with pytest.raises(psycopg.errors.UndefinedTable):
            await ask(postgres.dsn("graph"), "SELECT n FROM kept")
        assert await ask(postgres.dsn("notify"), "SHOW fsync") == "on"
        assert await ask(postgres.dsn("notify"), "SHOW data_checksums") == "on"


async def test_stores_listen_on_no_port_and_only_for_their_owner(home: Path) -> None:
    async with stores(home) as mesh:
        for name in ("postgres", "redis"):
            for pid in tree(mesh.pid(name)):
                assert psutil.Process(pid).net_connections("inet") == []
        sockets = mesh.folders.sockets
        assert (sockets / "postgres").stat().st_mode & 0o777 == 0o700
        assert (sockets / "postgres/.s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
        assert (sockets / "redis.sock").stat().st_mode & 0o777 == 0o700


async def test_redis_keeps_nothing(home: Path) -> None:
    async with embedded_redis(home, maxmemory="64mb") as redis:
        client = Redis.from_url(redis.url, decode_responses=True)
        await client.set("a", "1")
        assert (await client.config_get("maxmemory"))["maxmemory"] == str(64 << 20)
        await client.aclose()
    async with embedded_redis(home) as redis, Redis.from_url(redis.url) as client:
        assert await client.dbsize() == 0


async def test_killed_postgres_comes_back_with_what_was_committed(home: Path) -> None:
    async with stores(home) as mesh:
        await ask(mesh.dsn("graph"), "CREATE TABLE kept AS SELECT 7 AS n")
        before = mesh.pid("postgres")
        mesh.kill("postgres")
        await mesh.until_healthy("postgres", restarts=1)
        assert mesh.pid("postgres") != before
        assert await ask(mesh.dsn("graph"), "SELECT n FROM kept") == 7
        assert mesh.restarts("redis") == 0


async def test_a_store_can_be_stopped_and_started(home: Path) -> None:
    async with stores(home) as mesh:
        await mesh.stop("redis")
        with pytest.raises(LookupError):
            mesh.pid("redis")
        await mesh.start("redis")
        async with Redis.from_url(mesh.redis_url) as client:
            assert await client.ping()


async def test_open_connections_do_not_hold_up_the_end(home: Path) -> None:
    async with embedded_postgres(home) as postgres:
        connection = await psycopg.AsyncConnection.connect(postgres.dsn("tweet"))
    await connection.close()
    log = (home / "log/postgres.log").read_text()
    assert "received fast shutdown request" in log
    assert "database system is shut down" in log


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: (data / "PG_VERSION").write_text("16\n"), "it is of PostgreSQL 16"),
        (lambda data: (data / "PG_VERSION").unlink(), "PG_VERSION"),
        (lambda data: (data / "global/pg_control").unlink(), "pg_control"),
    ],
)
async def test_a_foreign_or_broken_data_folder_is_named(
    empty_home: Path, damage: "object", words: str
) -> None:
    data = empty_home / "postgres/data"
    (data / "global").mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    (data / "global/pg_control").touch()
    assert callable(damage)
    damage(data)
    with pytest.raises(DataFolderError, match=words) as raised:
        await _start(empty_home)
    assert str(data) in str(raised.value)


async def test_a_half_made_data_folder_is_made_again(empty_home: Path) -> None:
    half = empty_home / "postgres/data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with embedded_postgres(empty_home) as postgres:
        assert await ask(postgres.dsn("tweet"), "SELECT 1") == 1


async def test_a_stale_process_id_of_somebody_else_is_forgotten(home: Path) -> None:
    await _start(home)
    record = home / "postgres/data/postmaster.pid"
    record.write_text(f"{os.getpid()}\n{home}/postgres/data\n0\n5432\n\n\n")
    await _start(home)


async def test_a_long_home_puts_its_sockets_into_a_private_folder(home: Path) -> None:
    long = home / ("x" * 100)
    async with stores(long) as mesh:
        sockets = mesh.folders.sockets
        assert sockets.parent == Path(tempfile.gettempdir())
        assert sockets.stat().st_uid == os.geteuid()
        assert await ask(mesh.dsn("tweet"), "SELECT 1") == 1
    shutil.rmtree(sockets)


def test_a_file_in_place_of_the_home_is_named(empty_home: Path) -> None:
    (empty_home / "file").touch()
    with pytest.raises(HomeUnusableError, match="--home"):
        folders.prepare(empty_home / "file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
async def test_root_runs_it_under_another_account_from_a_copy(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Path(tempfile.mkdtemp(prefix="av-closed-"))
    source = postgres_programs.site()
    for part in (postgres_programs.INSTALL, Path(postgres_programs.LIBRARIES)):
        shutil.copytree(source / part, closed / part)
    monkeypatch.setattr(postgres_programs, "site", lambda: closed)
    try:
        async with stores(empty_home) as mesh:
            process = psutil.Process(mesh.pid("postgres"))
            assert process.uids().real != 0
            assert process.exe().startswith(str(empty_home / "postgres/server-"))
            assert (empty_home / "postgres/data").stat().st_uid == process.uids().real
    finally:
        shutil.rmtree(closed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as somebody else")
async def test_a_home_closed_to_the_account_is_named(empty_home: Path) -> None:
    closed = empty_home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(HomeUnusableError, match=str(closed)):
        await _start(closed / "home")


def test_barrier_is_the_first_closed_folder(tmp_path: Path) -> None:
    stranger = accounts.Account("stranger", 4_000_000, 4_000_000)
    home = Path(tempfile.mkdtemp(prefix="av-"))
    assert stranger.barrier(home / "in/it") == home
    home.chmod(0o711)
    assert stranger.barrier(home / "in") is None
    home.rmdir()


async def test_nobody_is_left(home: Path) -> None:
    async with stores(home) as mesh:
        pids = [pid for name in ("postgres", "redis") for pid in tree(mesh.pid(name))]
        assert len(pids) > 3
        mesh.kill("redis", signal.SIGSTOP)
    assert all(gone(pid) for pid in pids)


async def _start(home: Path) -> Mesh:
    async with stores(home) as mesh:
        return mesh
