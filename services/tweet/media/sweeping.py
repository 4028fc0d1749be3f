"""The end of media: what no tweet uses is deleted, first its row, then its objects."""

import asyncio
import contextlib

import structlog

from .objects import MediaObjects
from .spool import Spool
from .store import MediaStore

SWEEP_SECONDS = 60.0
log = structlog.get_logger()


class Sweeper:
    """Deletes what is not needed: when it is woken, and every minute."""

    def __init__(self, store: MediaStore, objects: MediaObjects, spool: Spool) -> None:
        self._store = store
        self._objects = objects
        self._spool = spool
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that a medium was deleted."""
        self._woken.set()

    async def sweep(self) -> None:
        """Delete unused media, and the folders of dead uploads."""
        await asyncio.to_thread(self._spool.clean)
        while await self._store.release_old():
            await self.collect()
        await self.collect()

    async def collect(self) -> int:
        """Delete the objects that no medium needs any more; how many went."""
        gone = 0
        for key in await self._store.garbage():
            async with self._store.collecting(key) as unneeded:
                if unneeded:
                    await self._objects.delete(key)
                    gone += 1
        return gone

    async def keep_swept(self) -> None:
        """Sweep for ever, when something was thrown away and now and then."""
        while True:
            woken = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    woken = await self._woken.wait()
            self._woken.clear()
            try:
                await (self.collect() if woken else self.sweep())
            except Exception as error:
                log.warning("media not swept", why=str(error))
