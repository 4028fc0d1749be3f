"""A streaming replica of the tests' PostgreSQL, made by pg_basebackup from the same programs."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from services.local import postgres_programs, postgres_server
from services.local.mesh import Mesh
from services.local.postgres_server import PARAMETERS, USER
from services.local.process import launched

SECONDS = 30.0


class Standby:
    """A replica's process, and faults to inject."""

    def __init__(self, mesh: Mesh) -> None:
        self._primary = postgres_server.at(mesh.folders)
        self._programs = postgres_programs.install(mesh.folders.postgres, self._primary.account)
        self._data = mesh.folders.postgres / "standby"
        self._sockets = mesh.folders.sockets / "standby"
        self._process: asyncio.subprocess.Process | None = None

    def dsn(self, database: str) -> str:
        return make_conninfo(host=str(self._sockets), port=5432, dbname=database, user=USER)

    async def create(self) -> None:
        for folder in (self._data, self._sockets):
            folder.mkdir(mode=0o700)
            if account := self._primary.account:
                os.chown(folder, account.uid, account.gid)
        backup = await self._run(
            "pg_basebackup", "-h", str(self._primary.socket_folder), "-U", USER,
            "-D", str(self._data), "-R", "-X", "stream", "-c", "fast",
        )  # fmt: skip
        assert await backup.wait() == 0

    async def start(self) -> None:
        parameters = {**PARAMETERS, "unix_socket_directories": str(self._sockets)}
        flags = (part for name, value in parameters.items() for part in ("-c", f"{name}={value}"))
        self._process = await self._run("postgres", "-D", str(self._data), *flags)
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    await self.sql("SELECT 1")
                    break
                except psycopg.OperationalError:
                    assert self._process.returncode is None
                    await asyncio.sleep(0.1)

    async def end(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it by its own pid; returns when all of it has gone."""
        family = self._family()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()
        async with asyncio.timeout(SECONDS):
            while any(process.is_running() for process in family):
                await asyncio.sleep(0.05)

    def freeze(self) -> None:
        """Stop everything of it where it is: connections stay open, nothing answers."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        for process in self._family():
            process.resume()

    async def sql(self, query: str) -> None:
        dsn = self.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(query.encode())

    async def pause_replay(self) -> None:
        await self.sql("SELECT pg_wal_replay_pause()")

    async def resume_replay(self) -> None:
        await self.sql("SELECT pg_wal_replay_resume()")

    def remove(self) -> None:
        for folder in (self._data, self._sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def _family(self) -> list[psutil.Process]:
        if self._process is None or self._process.returncode is not None:
            return []
        postmaster = psutil.Process(self._process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    async def _run(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        argv = (str(self._programs / "bin" / program), *arguments)
        return await asyncio.create_subprocess_exec(
            *launched(argv, account=self._primary.account, death_signal=signal.SIGQUIT),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"LC_ALL": "C"},
            cwd=Path("/"),
        )


@asynccontextmanager
async def standby(mesh: Mesh) -> AsyncIterator[Standby]:
    """A running replica of the mesh's PostgreSQL."""
    made = Standby(mesh)
    try:
        await made.create()
        await made.start()
        yield made
    finally:
        made.thaw()
        await made.end()
        made.remove()
