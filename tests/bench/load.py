"""Load from outside Python: h2load for gRPC, wrk for REST, both closed loops.

A Python load generator would be the bottleneck. Both are Debian packages (nghttp2-client, wrk).
Latency under a given rate is another matter: see `openloop`.
"""

import asyncio
import json
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import Message

CALLS = Path(__file__).with_name("calls.lua")
IN_FLIGHT = 128
"""Calls that all h2load processes together keep under way: enough to keep a replica busy."""
WARM_UP = "300ms"
WRK_CONNECTIONS = 64
RAW_IN_FLIGHT = 64


class ToolMissingError(RuntimeError):
    """A load generator is not installed."""


class LoadError(RuntimeError):
    """A load generator saw errors: what it measured is not the figure."""


class RestCall(NamedTuple):
    """One HTTP call; `token` and `body` (JSON) may be empty."""

    method: str
    path: str
    token: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of gRPC call: where, which methods in turn, with what, in whose name.

    h2load sends the same headers with each call: so there is a process for each set of them. It
    does not read gRPC's status either, which is why the mean size of the replies is checked:
    `reply_bytes` is what they have at least (an error has none).
    """

    address: str
    methods: Sequence[str]
    request: Message
    reply_bytes: int
    callers: Sequence[Sequence[str]] = ((),)
    """Headers (`name: value`) of each process."""


def as_user(user_id: int) -> tuple[str]:
    """The header by which a service knows its caller, where no edge is in between."""
    return (f"x-aviary-user-id: {user_id}",)


def bearing(token: str) -> tuple[str]:
    """The header by which the edge knows its caller."""
    return (f"authorization: Bearer {token}",)


def check_tools() -> None:
    """Fail with the command that installs what is missing."""
    needed = {"h2load": "nghttp2-client", "wrk": "wrk"}
    missing = [package for tool, package in needed.items() if not shutil.which(tool)]
    if missing:
        raise ToolMissingError(f"make bench needs: apt-get install {' '.join(missing)}")


def write_calls(file: Path, calls: Sequence[RestCall]) -> Path:
    """A file of calls as `calls.lua` and `openloop` read it."""
    file.write_text("".join("\t".join(call) + "\n" for call in calls))
    return file


async def grpc_rate(load: Load, seconds: float) -> float:
    """Successful calls per second over all load processes; an error is an exception."""
    raw = load.request.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(b"\0" + len(raw).to_bytes(4, "big") + raw)
        outputs = await asyncio.gather(
            *(_h2load(load, body, caller, seconds) for caller in load.callers)
        )
    return sum(_h2load_rate(output, load.reply_bytes) for output in outputs)


async def rest_rate(
    url: str, calls: Path, seconds: float, connections: int = WRK_CONNECTIONS
) -> float:
    """Answered calls per second, drawn at random from a file; an error is an exception."""
    output = await _run(
        "wrk", "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s",
        "-s", str(CALLS), url, "--", str(calls), str(secrets.randbelow(1 << 30)),
    )  # fmt: skip
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if "Non-2xx" in output or "Socket errors" in output or rate is None or not float(rate[1]):
        raise LoadError(f"wrk saw errors:\n{output}")
    return float(rate[1])


async def raw_rate(
    address: str,
    method: str,
    requests: Path,
    seconds: float,
    reply_bytes: int,
    *,
    token: str = "",
    first_user: int = 0,
    in_flight: int = RAW_IN_FLIGHT,
) -> dict[str, float]:
    """What `rawload` measures with a file of requests; an error is an exception."""
    output = await _run(
        sys.executable, "-m", "tests.bench.rawload", address, method, str(requests), str(seconds),
        str(in_flight), token, str(first_user or ""),
    )  # fmt: skip
    found: dict[str, float] = json.loads(output)
    if found["reply_bytes"] < reply_bytes:
        raise LoadError(f"the replies had {found['reply_bytes']:.0f} bytes on average")
    return found


async def _h2load(load: Load, body: Path, caller: Sequence[str], seconds: float) -> str:
    headers = ("content-type: application/grpc", "te: trailers", *caller)
    streams = max(1, IN_FLIGHT // len(load.callers))
    return await _run(
        "h2load", "-t", "1", "-c", "1", "-m", str(streams),
        "-D", f"{max(200, round(seconds * 1000))}ms", "--warm-up-time", WARM_UP, "-d", str(body),
        *(part for header in headers for part in ("-H", header)),
        *(f"http://{load.address}{method}" for method in load.methods),
    )  # fmt: skip


def _h2load_rate(output: str, reply_bytes: int) -> float:
    done = re.search(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", output)
    data = re.search(r"\((\d+)\) data", output)
    if done is None or rate is None or data is None or int(done[2]) or int(done[3]):
        raise LoadError(f"h2load saw errors:\n{output}")
    if not int(done[1]) or int(data[1]) / int(done[1]) < reply_bytes:
        raise LoadError(f"the replies had less than {reply_bytes} bytes on average:\n{output}")
    return float(rate[1])


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode()
    if process.returncode:
        raise LoadError(f"{command[0]} failed:\n{text}")
    return text
