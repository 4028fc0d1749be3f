"""Latency under a given rate: `python -m tests.bench.openloop`, told by JSON on stdin.

An open loop: calls become due at random moments (Poisson) whatever the server does, and a call's
time runs from when it was due, also while it waits for a connection. wrk and h2load wait for the
server before they send the next call, and so leave out just the time that a user would have waited
(coordinated omission; `h2load --rps` too counts from when it sent). Timers here are exact to about
a millisecond, for every server alike. A process of its own, so that its work shows apart from what
it measures: it says how late it was itself and how much of a core it took.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from .load import LoadError, RestCall

MAX_CONNECTIONS = 256
PATIENCE_SECONDS = 10.0
_HEAD_END, _CHUNKS_END = b"\r\n\r\n", b"\r\n0\r\n\r\n"


async def under_rate(
    url: str, calls: Path, rate: float, seconds: float, seed: int
) -> tuple[list[float], dict[str, float]]:
    """Milliseconds of each call, and the generator's own facts."""
    told = {"url": url, "calls": str(calls), "rate": rate, "seconds": seconds, "seed": seed}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.openloop",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await process.communicate(json.dumps(told).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise LoadError("the open-loop generator failed; its error is above")
    found = json.loads(output)
    return found["milliseconds"], found["facts"]


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one call under way at most."""

    def __init__(self, generator: "Generator") -> None:
        self._generator = generator
        self._received = bytearray()
        self._end = 0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._generator.lost(exc)

    def send(self, call: bytes) -> None:
        """Send a call."""
        self._received.clear()
        self._end = 0
        self._transport.write(call)

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._end:
            head = received.find(_HEAD_END)
            if head < 0:
                return
            self._end = _end_of(bytes(received[:head]).lower(), head + len(_HEAD_END))
        complete = received.endswith(_CHUNKS_END) if self._end < 0 else len(received) >= self._end
        if complete:
            self._generator.answered(self, ok=received[9:10] == b"2")


class Generator:
    """Sends calls when they are due, over whichever connection is free."""

    def __init__(self, calls: list[bytes], rate: float, seed: int) -> None:
        self._calls = calls
        self._rate = rate
        self._dice = random.Random(seed)
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._due: dict[Connection, float] = {}
        self._failed = 0
        self._closing = False
        self._milliseconds: list[float] = []
        self._late: list[float] = []

    async def run(self, host: str, port: int, seconds: float) -> dict[str, Any]:
        """Everything that became due within so many seconds, when it has been answered."""
        loop = asyncio.get_running_loop()
        for _ in range(MAX_CONNECTIONS):
            _, connection = await loop.create_connection(lambda: Connection(self), host, port)
            self._free.append(connection)
        cpu, start = time.process_time(), time.perf_counter()
        due = start + self._dice.expovariate(self._rate)
        while due < start + seconds:
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            self._late.append(time.perf_counter() - due)
            self._waiting.append(due)
            self._send()
            due += self._dice.expovariate(self._rate)
        cpu = (time.process_time() - cpu) / seconds
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._waiting or self._due:
                await asyncio.sleep(0.01)
        self._closing = True
        for connection in self._free:
            connection.close()
        if self._failed:
            raise LoadError(f"{self._failed} of {len(self._milliseconds)} calls failed")
        self._late.sort()
        late = self._late[int(len(self._late) * 0.99)] * 1000
        return {"milliseconds": self._milliseconds, "facts": {"late_p99": late, "cpu": cpu}}

    def answered(self, connection: Connection, *, ok: bool) -> None:
        """A call has been answered."""
        due = self._due.pop(connection)
        self._milliseconds.append((time.perf_counter() - due) * 1000)
        self._failed += not ok
        self._free.append(connection)
        if self._waiting:
            self._send()

    def lost(self, error: Exception | None) -> None:
        """A connection was closed."""
        if not self._closing:
            raise LoadError(f"the server closed a connection: {error}")

    def _send(self) -> None:
        if self._free and self._waiting:
            connection = self._free.popleft()
            self._due[connection] = self._waiting.popleft()
            connection.send(self._dice.choice(self._calls))


def _end_of(head: bytes, start: int) -> int:
    """Where the reply ends; -1 where it comes in chunks."""
    _, found, rest = head.partition(b"content-length:")
    return start + int(rest.partition(b"\r\n")[0]) if found else -1


def _render(call: RestCall, host: str) -> bytes:
    lines = [f"{call.method} {call.path} HTTP/1.1", f"host: {host}"]
    if call.token:
        lines.append(f"authorization: Bearer {call.token}")
    if call.body:
        lines += ["content-type: application/json", f"content-length: {len(call.body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + call.body).encode()


async def _main() -> None:
    told = json.loads(sys.stdin.read())
    place = urlsplit(told["url"])
    assert place.hostname is not None
    assert place.port is not None
    lines = Path(told["calls"]).read_text().splitlines()
    calls = [_render(RestCall(*line.split("\t")), place.netloc) for line in lines]
    generator = Generator(calls, told["rate"], told["seed"])
    found = await generator.run(place.hostname, place.port, told["seconds"])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    uvloop.run(_main())
