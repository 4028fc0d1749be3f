"""The data folder of the embedded PostgreSQL: created whole, and checked before it is opened."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import psutil

from services.local.accounts import Account
from services.local.errors import DataFolderError, HomeUnusableError
from services.local.postgres_programs import MAJOR
from services.local.process import launched

INITDB = (
    *("--username", "aviary", "--auth", "trust", "--encoding", "UTF8", "--no-locale"),
    # The server's own Unicode tables: the same order and case on every machine.
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
)
SHUTDOWN_SECONDS = 30.0


async def prepare(data: Path, sockets: Path, programs: Path, account: Account | None) -> None:
    """Make the data folder if there is none, refuse a foreign one, and the socket folder."""
    _private_folder(sockets, account)
    if _exists(data, account):
        await await_previous(data)
        return
    half = data.with_name(f"{data.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    _private_folder(half, account)
    await _initdb(half, programs, account)
    half.rename(data)


def _exists(data: Path, account: Account | None) -> bool:
    if account and (barrier := account.barrier(data)):
        raise HomeUnusableError(barrier, f"PostgreSQL's account {account.name} may not enter it")
    if not data.exists():
        return False
    check(data)
    return True


def check(data: Path) -> None:
    """Refuse a folder that is not data of this PostgreSQL's major version."""
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        reason = f"its file PG_VERSION cannot be read ({error.strerror}); move the folder away"
        raise DataFolderError(data, reason) from error
    if version != str(MAJOR):
        raise DataFolderError(data, f"it is of PostgreSQL {version}, this is PostgreSQL {MAJOR}")
    if not (data / "global" / "pg_control").is_file():
        raise DataFolderError(data, "its file global/pg_control is missing; move the folder away")


def _private_folder(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


async def copy(
    data: Path, sockets: Path, programs: Path, account: Account | None, source: str
) -> None:
    """Make the data folder anew as a copy of the running server behind a DSN."""
    _private_folder(sockets, account)
    await await_previous(data)
    shutil.rmtree(data, ignore_errors=True)
    half = data.with_name(f"{data.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    _private_folder(half, account)
    arguments = ("-d", source, "-D", str(half), "-X", "stream", "-c", "fast")
    await _run("pg_basebackup", data, programs, account, arguments)
    half.rename(data)


def mark(file: Path, account: Account | None) -> None:
    """Make an empty file of the server's own, such as the one that says that it is a standby."""
    file.touch(mode=0o600)
    if account:
        os.chown(file, account.uid, account.gid)


async def _initdb(data: Path, programs: Path, account: Account | None) -> None:
    await _run("initdb", data, programs, account, ("-D", str(data), *INITDB))


async def _run(
    program: str, data: Path, programs: Path, account: Account | None, arguments: tuple[str, ...]
) -> None:
    argv = (str(programs / "bin" / program), *arguments)
    process = await asyncio.create_subprocess_exec(
        *launched(argv, account=account, death_signal=signal.SIGKILL),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # cancelled: its children go with it
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        lines = output.decode(errors="replace").strip().splitlines()
        raise DataFolderError(data, f"{program} says: {' | '.join(lines[-2:])}")


async def await_previous(data: Path) -> None:
    """Let a server whose supervisor was killed finish, and forget one that is long gone.

    After a restart of the machine the recorded id may be another process of this user, which
    PostgreSQL would take for itself and refuse to start.
    """
    record = data / "postmaster.pid"
    for _ in range(int(SHUTDOWN_SECONDS / 0.1)):
        try:
            pid = int(record.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if not _is_server(pid, data):
            record.unlink(missing_ok=True)
            return
        await asyncio.sleep(0.1)
    raise DataFolderError(data, f"PostgreSQL process {pid} uses it")


def _is_server(pid: int, data: Path) -> bool:
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    return str(data) in command
