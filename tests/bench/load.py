"""Load from outside Python: h2load for gRPC, wrk for REST.

A Python load generator would be the bottleneck. Both are Debian packages (nghttp2-client, wrk).
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message

CONNECTIONS, STREAMS = 2, 16
"""Of each h2load: enough in flight to keep a replica busy, few enough not to measure a queue."""
WRK_CONNECTIONS = 32


class ToolMissingError(RuntimeError):
    """A load generator is not installed."""


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of gRPC call: where, what, and on whose behalf (a load process for each user)."""

    address: str
    method: str
    request: Message
    user_ids: Sequence[int] = (0,)


def check_tools() -> None:
    """Fail with the command that installs what is missing."""
    needed = {"h2load": "nghttp2-client", "wrk": "wrk"}
    missing = [package for tool, package in needed.items() if not shutil.which(tool)]
    if missing:
        raise ToolMissingError(f"make bench needs: apt-get install {' '.join(missing)}")


async def grpc_rate(load: Load, seconds: float) -> float:
    """Successful calls per second over all users' load processes; an error is an exception."""
    raw = load.request.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(b"\0" + len(raw).to_bytes(4, "big") + raw)
        outputs = await asyncio.gather(
            *(_h2load(load, body, user_id, seconds) for user_id in load.user_ids)
        )
    return sum(_h2load_rate(output) for output in outputs)


async def rest_rate(
    url: str, script: Path, seconds: float, arguments: Sequence[str] = ()
) -> tuple[float, float]:
    """Requests per second through the edge and the p99 in milliseconds, by a wrk script."""
    output = await _run(
        "wrk", "-t", "1", "-c", str(WRK_CONNECTIONS), "-d", f"{max(1, round(seconds))}s",
        "--latency", "-s", str(script), url, "--", *arguments,
    )  # fmt: skip
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk saw errors:\n{output}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    assert rate is not None
    assert p99 is not None
    return float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]]


async def _h2load(load: Load, body: Path, user_id: int, seconds: float) -> str:
    return await _run(
        "h2load", "-t", "1", "-c", str(CONNECTIONS), "-m", str(STREAMS),
        "-D", str(max(1, round(seconds))), "--warm-up-time", "1", "-d", str(body),
        "-H", "content-type: application/grpc", "-H", "te: trailers",
        "-H", f"x-aviary-user-id: {user_id}", f"http://{load.address}{load.method}",
    )  # fmt: skip


def _h2load_rate(output: str) -> float:
    done = re.search(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", output)
    if done is None or rate is None or int(done[2]) or int(done[3]) or not int(done[1]):
        raise RuntimeError(f"h2load saw errors:\n{output}")
    return float(rate[1])


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    text = output.decode()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{text}")
    return text
