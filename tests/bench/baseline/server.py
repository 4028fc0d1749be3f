"""The baseline as processes: its virtual environment, its database, its two workers."""

import asyncio
import contextlib
import hashlib
import os
import subprocess
import venv
from collections.abc import AsyncIterator
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.local.mesh import Mesh
from tests.ports import free_port

from ..hosts import accepts, process, until
from ..rows import bulk, piped

FOLDER = Path(__file__).parent
WORKERS = 2
DATABASE = "baseline"
FIRST_SNOWFLAKE = 1 << 40
"""Whoever follows with a smaller id exists as a number only, for the counts of famous authors."""


@contextlib.asynccontextmanager
async def serving(mesh: Mesh, log: Path) -> AsyncIterator[str]:
    """The baseline with the data of the mesh; its URL."""
    python = await asyncio.to_thread(_environment)
    dsn = await _load(mesh)
    port = free_port()
    command = [
        str(python), "-m", "uvicorn", "--factory", "app:create_app", "--app-dir", str(FOLDER),
        "--workers", str(WORKERS), "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning", "--backlog", "2048", "--port", str(port),
    ]  # fmt: skip
    async with process(command, {"BASELINE_DSN": _url(dsn), "PYTHONDONTWRITEBYTECODE": "1"}, log):
        await until(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}"


def _environment() -> Path:
    """The interpreter of the baseline's environment, which is made when its packages are new."""
    requirements = FOLDER / "requirements.txt"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aviary"
    folder = cache / f"baseline-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    python, done = folder / "bin" / "python", folder / "done"
    if not done.exists():
        venv.create(folder, clear=True, with_pip=True)
        environ = {k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--quiet", "--requirement", requirements],
            env=environ,
            check=True,
        )
        done.touch()
    return python


async def _load(mesh: Mesh) -> str:
    """The database with the mesh's users, follows and tweets; its connection string."""
    dsn = make_conninfo(mesh.dsn("tweet"), dbname=DATABASE)
    admin = await AsyncConnection.connect(mesh.dsn("tweet"), autocommit=True)
    async with admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        await admin.execute(f"CREATE DATABASE {DATABASE}".encode())
    async with (
        bulk(dsn) as target,
        bulk(mesh.dsn("graph")) as graph,
        bulk(mesh.dsn("tweet")) as tweet,
    ):
        await target.execute((FOLDER / "schema.sql").read_bytes())
        await piped(graph, "SELECT user_id, user_name, display_name FROM users", target, "users")
        follows = f"SELECT user_id, target_user_id FROM follows WHERE user_id > {FIRST_SNOWFLAKE}"
        await piped(graph, f"{follows} ORDER BY 1, 2", target, "follows")
        columns = "tweet_id, author_id, status, create_time"
        await piped(
            tweet,
            f"SELECT {columns} FROM tweets ORDER BY tweet_id",
            target,
            f"tweets ({columns})",
        )
        await target.execute("CREATE INDEX tweets_by_author ON tweets (author_id, tweet_id DESC)")
        await target.execute(
            "SELECT setval(pg_get_serial_sequence('tweets', 'tweet_id'), max(tweet_id)) FROM tweets"
        )
        await target.execute("VACUUM ANALYZE")
    return dsn


def _url(dsn: str) -> str:
    """As asyncpg takes it: it knows URLs, not libpq's own notation."""
    parts = conninfo_to_dict(dsn)
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port=5432"
