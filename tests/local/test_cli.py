"""`aviary up`, `down`, `status` as a user runs them, with stand-ins for the services."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from services.local.processes import SERVICES
from tests.local.conftest import CommandLine, gone, tree

NAMES = {"postgres", "redis", *SERVICES}


def status(aviary: CommandLine) -> dict[str, Any]:
    _, output = aviary.run("status", "--json")
    values: dict[str, Any] = json.loads(output)
    return values


def test_help_is_quick(aviary: CommandLine) -> None:
    """What takes long to import is imported by the commands that need it."""
    code, _ = aviary.run("--help")
    assert code == 0
    look = "import sys, clients.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True)
    heavy = {"grpc", "google.protobuf", "psycopg", "redis", "tantivy", "whoosh", "PIL", "aiohttp"}
    assert heavy.isdisjoint(loaded.stdout.decode().split())


def test_up_prints_how_to_use_it_and_ctrl_c_leaves_nobody(aviary: CommandLine) -> None:
    process = aviary.up()
    found = status(aviary)
    assert {row["name"] for row in found["processes"]} == NAMES
    assert {row["health"] for row in found["processes"]} == {"healthy"}
    assert found["host"] == "grpcio"
    assert found["stores"].keys() == {
        "tweet",
        "graph",
        "timeline",
        "search",
        "notify",
        "redis",
        "mail",
    }
    assert all(row["pid"] and row["rss"] for row in found["processes"])
    pids = tree(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 0
    assert all(gone(pid) for pid in pids)
    assert not status(aviary)["running"]


def test_a_killed_supervisor_leaves_nobody_and_the_next_one_starts(aviary: CommandLine) -> None:
    process = aviary.up()
    pids = tree(process.pid)
    assert len(pids) > len(NAMES)
    process.kill()
    assert all(gone(pid) for pid in pids)
    assert not status(aviary)["running"]
    aviary.up()
    assert status(aviary)["ready"]


def test_detached_it_runs_until_down(aviary: CommandLine) -> None:
    code, output = aviary.run("up", "--detach")
    assert code == 0, output
    assert "curl" in output
    found = status(aviary)
    pids = [found["pid"], *(row["pid"] for row in found["processes"])]
    code, output = aviary.run("up", "--detach")
    assert (code, output.count("\n")) == (1, 1)
    assert f"process {found['pid']}" in output
    assert aviary.run("down") == (0, "stopped\n")
    assert all(gone(pid) for pid in pids)
    assert aviary.run("down")[0] == 0


def process(aviary: CommandLine, name: str) -> dict[str, Any]:
    [row] = [row for row in status(aviary)["processes"] if row["name"] == name]
    found: dict[str, Any] = row
    return found


def until_restarted(aviary: CommandLine, name: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        row = process(aviary, name)
        if (row["restarts"], row["health"]) == (1, "healthy"):
            return
    raise AssertionError(row)


def test_status_shows_a_restart(aviary: CommandLine) -> None:
    aviary.up()
    os.kill(process(aviary, "graph")["pid"], signal.SIGKILL)
    until_restarted(aviary, "graph")
    code, table = aviary.run("status")
    assert code == 0
    assert "graph" in table


def test_a_closed_terminal_does_not_stop_restarts(aviary: CommandLine) -> None:
    supervisor = aviary.up()
    assert supervisor.stdout
    supervisor.stdout.close()
    os.kill(process(aviary, "graph")["pid"], signal.SIGKILL)
    until_restarted(aviary, "graph")
    pids = tree(supervisor.pid)
    supervisor.send_signal(signal.SIGTERM)
    supervisor.wait(30)
    assert all(gone(pid) for pid in pids)
    aviary.started.remove(supervisor)


@pytest.mark.parametrize("options", [("up",), ("up", "--detach")])
def test_a_taken_port_is_one_line(aviary: CommandLine, options: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        code, output = aviary.run(*options, "--port", port)
    line = f"error: port {port} is taken by another process; choose one with --port\n"
    assert (code, output) == (1, line)


def test_a_broken_data_folder_is_one_line(aviary: CommandLine) -> None:
    data = aviary.home / "postgres/data"
    (data / "PG_VERSION").write_text("16\n")
    code, output = aviary.run("up")
    assert code == 1
    assert output.count("error: ") == 1
    assert output.splitlines()[-1].endswith("it is of PostgreSQL 16, this is PostgreSQL 18")


def test_a_service_that_fails_is_one_line(
    aviary: CommandLine, fault: Callable[[str, str], None]
) -> None:
    fault("tweet", "crash")
    code, output = aviary.run("up", "--detach")
    assert code == 1
    assert "tweet cannot go on" in output.splitlines()[-1]
    assert "tweet.log" in output.splitlines()[-1]
    assert "Traceback" not in output


def test_an_unknown_setting_is_one_line_and_debug_shows_more(aviary: CommandLine) -> None:
    aviary.environ["AVIARY_REDIS_ULR"] = "unix:///nowhere"
    code, output = aviary.run("status")
    assert (code, output.count("\n")) == (1, 1)
    assert "Traceback" in aviary.run("--debug", "status")[1]
    del aviary.environ["AVIARY_REDIS_ULR"]


def test_serve_runs_one_service(aviary: CommandLine, fault: Callable[[str, str], None]) -> None:
    fault("graph", "crash")
    code, output = aviary.run("serve", "graph")
    assert code == 1
    assert "graph cannot go on" in output
