"""Uploads on their way in: streamed into a file, measured meanwhile, gone when they are left."""

import asyncio
import contextlib
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from services.chassis.errors import OverloadedError

from ..errors import MediaTooLargeError, MediaTypeUnsupportedError
from .domain_formats import ACCEPTED, HEAD_BYTES, MediaType, type_of

WRITE_BYTES = 1 << 20
MAX_OF_USER = 4
"""Uploads of one user at a time: nobody slow may take all places."""
STALE_SECONDS = 3600.0
"""An upload's folder so old was left by a process that died."""


class Spool:
    """A folder with one folder for each upload under way, a bounded number of them."""

    def __init__(self, folder: Path, *, idle_seconds: float, max_uploads: int) -> None:
        self._folder = folder
        self._idle_seconds = idle_seconds
        self._max_uploads = max_uploads
        self._uploads: Counter[int] = Counter()

    @contextlib.asynccontextmanager
    async def place(self, user_id: int) -> AsyncIterator[Path]:
        """A folder for one upload of a user, removed with everything in it."""
        full = self._uploads.total() >= self._max_uploads
        if full or self._uploads[user_id] >= MAX_OF_USER:
            raise OverloadedError(resource="the upload of media")
        self._uploads[user_id] += 1
        folder = self._folder / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True, mode=0o700)
            yield folder
        finally:
            self._uploads[user_id] -= 1
            if not self._uploads[user_id]:
                del self._uploads[user_id]
            shutil.rmtree(folder, ignore_errors=True)

    async def receive(self, pieces: AsyncIterator[bytes], folder: Path) -> MediaType:
        """Write an upload to `body` in its folder, and say what it is.

        Raises MEDIA_TYPE_UNSUPPORTED and MEDIA_TOO_LARGE as soon as that is certain, and
        TimeoutError when the sender rests for too long.
        """
        with (folder / "body").open("wb") as file:
            return await self._receive(pieces, file)

    async def _receive(self, pieces: AsyncIterator[bytes], file: BinaryIO) -> MediaType:
        kind: MediaType | None = None
        waiting, size = bytearray(), 0
        while (piece := await self._next(pieces)) is not None:
            waiting += piece
            size += len(piece)
            if kind is None and len(waiting) >= HEAD_BYTES:
                kind = _known(waiting)
            if kind is not None and size > kind.max_bytes:
                raise MediaTooLargeError(field="body", maximum_bytes=kind.max_bytes)
            if len(waiting) >= WRITE_BYTES:
                await asyncio.to_thread(file.write, waiting)
                waiting = bytearray()
        kind = kind or _known(waiting)
        await asyncio.to_thread(file.write, waiting)
        return kind

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        async with asyncio.timeout(self._idle_seconds):
            return await anext(pieces, None)

    def clean(self) -> int:
        """Remove what dead processes left; how much there was."""
        before, gone = time.time() - STALE_SECONDS, 0
        for folder in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder)
                    gone += 1
        return gone


def _known(head: bytearray) -> MediaType:
    kind = type_of(bytes(head[:HEAD_BYTES]))
    if kind is None:
        raise MediaTypeUnsupportedError(field="body", accepted=ACCEPTED)
    return kind
