"""A link between two processes that can be cut: a TCP port that leads to a unix socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

CHUNK = 1 << 16


class Link:
    """Passes bytes on; cut, it swallows them and says nothing, as a broken network does."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.swallowed = 0
        """Bytes that came while it was cut."""

    @contextlib.asynccontextmanager
    async def listening(self, address: str, port: int) -> AsyncIterator[Self]:
        """Listen as long as this is open."""
        server = await asyncio.start_server(self._serve, address, port)
        try:
            yield self
        finally:
            server.close()
            self._drop()
            await server.wait_closed()

    def cut(self) -> None:
        """Swallow everything from now on, on new connections as well."""
        self._open.clear()

    def mend(self) -> None:
        """Pass on again; the connections of before are gone."""
        self._drop()
        self._open.set()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        for side in (writer, back):
            side.transport.abort()
            self._writers.discard(side)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if not self._open.is_set():
                self.swallowed += len(data)
                continue
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
