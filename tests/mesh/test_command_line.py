"""The user's commands, from signing up to reading, and what they say when something is wrong."""

import asyncio
import json
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from services.local.processes import SERVICES

from .command_line import aviary
from .world import World

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(world: World, tmp_path: Path) -> Run:
    """The command line with a configuration folder of the test's own."""

    def command(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return aviary(world.mesh, *arguments, typed=typed, XDG_CONFIG_HOME=str(tmp_path))

    return command


async def test_from_signup_to_timeline(world: World, run: Run, tmp_path: Path) -> None:
    password = ("--password", "correct horse")
    signed_up = await asyncio.to_thread(run, "signup", "cli_ann", *password)
    assert signed_up.returncode == 0, signed_up.stderr
    kept = tmp_path / "aviary" / "session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    posted = await asyncio.to_thread(run, "tweet", "hello from ann")
    assert posted.stdout.strip().startswith(f"{world.mesh.edge_url}/api/v1/tweets/")
    assert (await asyncio.to_thread(run, "signup", "cli_ben", *password)).returncode == 0
    followed = await asyncio.to_thread(run, "follow", "CLI_ANN")
    assert followed.stdout.strip() == "cli_ben follows cli_ann"
    until = time.monotonic() + 5
    while "hello from ann" not in (home := await asyncio.to_thread(run, "timeline")).stdout:
        assert time.monotonic() < until, home.stdout + home.stderr
    theirs = await asyncio.to_thread(run, "timeline", "--user", "cli_ann", "-n", "1")
    assert "@cli_ann" in theirs.stdout
    again = await asyncio.to_thread(run, "login", "cli_ann", *password)
    assert "logged in as cli_ann" in again.stdout


async def test_suggestions_and_dismissing_one(world: World, run: Run) -> None:
    signed_up = await asyncio.to_thread(run, "signup", "cli_eve", "--password", "correct horse")
    assert signed_up.returncode == 0, signed_up.stderr
    rows = await world.sql("graph", "SELECT user_id FROM users WHERE user_name = 'cli_eve'")
    friend, other = await world.new_users(2)
    await world.follow([(rows[0][0], friend), (friend, other)])
    names = dict(await world.sql("graph", "SELECT user_id, user_name FROM users"))
    shown = await asyncio.to_thread(run, "suggestions", "-n", "1")
    assert shown.stdout == f"@{names[other]}  followed by {names[friend]}\n", shown.stderr
    dismissed = await asyncio.to_thread(run, "suggestions", "--dismiss", names[other])
    assert dismissed.stdout == f"{names[other]} is suggested no more\n", dismissed.stderr
    again = await asyncio.to_thread(run, "suggestions")
    assert again.returncode == 0
    assert f"@{names[other]} " not in again.stdout


async def test_mistakes_are_one_line(run: Run) -> None:
    for arguments, words in [
        (("tweet", "x"), "not logged in"),
        (("login", "nobody_here", "--password", "wrong horse"), "password"),
        (("timeline", "--user", "nobody_here"), "nobody_here"),
        (("token", "nobody_here"), "nobody_here"),
    ]:
        ran = await asyncio.to_thread(run, *arguments)
        assert ran.returncode == 1, arguments
        assert words in ran.stderr, arguments
        assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
        assert "Traceback" not in ran.stderr


async def test_a_token_a_line(world: World, run: Run) -> None:
    users = await world.new_users(3)
    rows = await world.sql(
        "graph",
        f"SELECT user_name FROM users WHERE user_id IN ({','.join(map(str, users))})"
        " ORDER BY user_id",
    )
    ran = await asyncio.to_thread(
        run, "token", *(row[0] for row in rows), "--plan", "pro", "--scope", "operator"
    )
    claims = [jwt.decode(line, options={"verify_signature": False}) for line in ran.stdout.split()]
    assert [int(one["sub"]) for one in claims] == sorted(users)
    assert {(one["plan"], one["scope"]) for one in claims} == {("pro", "operator")}
    rebuilt = await world.api.post(
        f"/api/v1/admin/home_timelines/{users[0]}:rebuild",
        json={},
        headers={"authorization": f"Bearer {ran.stdout.split()[0]}"},
    )
    assert rebuilt.status_code == 200, rebuilt.text


async def test_status_lists_everything(run: Run) -> None:
    ran = await asyncio.to_thread(run, "status", "--json")
    assert ran.returncode == 0, ran.stdout
    status = json.loads(ran.stdout)
    names = {process["name"] for process in status["processes"]}
    assert names == {"postgres", "redis", *SERVICES}
    for process in status["processes"]:
        assert process["health"] == "healthy"
        assert process["pid"] > 0
    assert {"tweet", "graph", "redis"} <= set(status["stores"])
