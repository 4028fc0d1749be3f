"""gRPC load with another request for each call, which h2load cannot send.

`python -m tests.bench.rawload ADDRESS METHOD FILE SECONDS IN_FLIGHT TOKEN USERS`: FILE holds
requests, each with its length (4 bytes) in front; they are drawn at random. USERS is empty, or the
id from which on each call is another user's. Prints calls, bytes of replies, and latencies as JSON.
HTTP/2 frames are packed once and only counted when they come back, so a call costs the generator
some 15 us, a tenth of what a gRPC library takes.
"""

import json
import random
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .stats import quantile

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW = (1 << 31) - 1
WARM_UP = 0.3


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


def header(name: str, value: str) -> bytes:
    """A header field as a literal that is not indexed."""
    parts = (name.encode(), value.encode())
    return b"\0" + b"".join(_length(len(part)) + part for part in parts)


def _length(length: int) -> bytes:
    if length < 127:
        return bytes([length])
    out, rest = bytearray([127]), length - 127
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


class Connection:
    """One HTTP/2 connection that keeps so many calls in flight."""

    def __init__(
        self, address: str, method: str, requests: list[bytes], token: str, first_user: int = 0
    ) -> None:
        self._user = first_user
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = {
            ":method": "POST", ":scheme": "http", ":path": method, ":authority": "bench",
            "content-type": "application/grpc", "te": "trailers",
        }  # fmt: skip
        if token:
            fields["authorization"] = f"Bearer {token}"
        self._head = b"".join(header(*field) for field in fields.items())
        self._bodies = [b"\0" + struct.pack(">I", len(r)) + r for r in requests]
        self._stream = 1
        self._begun: dict[int, float] = {}
        self._unacknowledged = 0
        settings = struct.pack(">HI", 4, WINDOW)
        self._socket.sendall(
            PREFACE
            + frame(SETTINGS, 0, 0, settings)
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65_535))
        )

    def call(self, count: int, now: float) -> None:
        """Begin so many calls."""
        out = []
        for body in random.choices(self._bodies, k=count):
            out += [
                frame(HEADERS, END_HEADERS, self._stream, self._head + self._next_user()),
                frame(DATA, END_STREAM, self._stream, body),
            ]
            self._begun[self._stream] = now
            self._stream += 2
        self._socket.sendall(b"".join(out))

    def _next_user(self) -> bytes:
        if not self._user:
            return b""
        self._user += 1
        return header("x-aviary-user-id", str(self._user))

    def answers(self) -> Iterator[tuple[int, list[float]]]:
        """Bytes of replies, and when the calls that have ended were begun, for ever."""
        buffer = b""
        while True:
            received = self._socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the server closed the connection")
            buffer += received
            at, size, ended = 0, 0, []
            while len(buffer) - at >= 9:
                length = int.from_bytes(buffer[at : at + 3], "big")
                if len(buffer) - at < 9 + length:
                    break
                kind, flags = buffer[at + 3], buffer[at + 4]
                stream = int.from_bytes(buffer[at + 5 : at + 9], "big")
                self._answer(kind, flags, buffer[at + 9 : at + 9 + length])
                if kind == DATA:
                    size += length
                if kind in (DATA, HEADERS) and flags & END_STREAM:
                    ended.append(self._begun.pop(stream))
                at += 9 + length
            buffer = buffer[at:]
            self._unacknowledged += size
            if self._unacknowledged > WINDOW // 2:
                increment = struct.pack(">I", self._unacknowledged)
                self._socket.sendall(frame(WINDOW_UPDATE, 0, 0, increment))
                self._unacknowledged = 0
            yield size, ended

    def _answer(self, kind: int, flags: int, body: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self._socket.sendall(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._socket.sendall(frame(PING, ACK, 0, body))
        elif kind == GOAWAY:
            raise ConnectionError("the server says good-bye")


def load(connection: Connection, seconds: float, in_flight: int) -> dict[str, float]:
    """Keep so many calls in flight for so long; what came back after a short warm-up."""
    began = time.perf_counter()
    connection.call(in_flight, began)
    calls, size = 0, 0
    latencies: list[float] = []
    for received, ended in connection.answers():
        now = time.perf_counter()
        if now - began > WARM_UP:
            calls += len(ended)
            size += received
            latencies += [now - begun for begun in ended]
        if now - began > WARM_UP + seconds:
            break
        connection.call(len(ended), now)
    if not calls:
        raise ConnectionError("no call was answered")
    return {
        "rate": calls / (time.perf_counter() - began - WARM_UP),
        "reply_bytes": size / calls,
        "p50": quantile(latencies, 0.5) * 1000,
        "p99": quantile(latencies, 0.99) * 1000,
    }


def read_requests(file: Path) -> list[bytes]:
    """The requests of a file."""
    raw, at, found = file.read_bytes(), 0, []
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        found.append(raw[at + 4 : end])
        at = end
    return found


def write_requests(file: Path, requests: list[bytes]) -> Path:
    """A file of requests."""
    file.write_bytes(b"".join(struct.pack(">I", len(raw)) + raw for raw in requests))
    return file


if __name__ == "__main__":
    address, method, name, seconds, in_flight, token, users = sys.argv[1:8]
    made = Connection(address, method, read_requests(Path(name)), token, int(users or 0))
    print(json.dumps(load(made, float(seconds), int(in_flight))))
