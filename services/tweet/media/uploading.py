"""An upload from its first byte to a medium that tweets can show."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.chassis.snowflake import Snowflakes

from .domain import MediaRow
from .domain_formats import MediaType
from .inspect.findings import Findings
from .inspecting import Inspector
from .objects import MediaObjects
from .spool import Spool
from .store import MediaStore
from .sweeping import Sweeper

log = structlog.get_logger()


class Uploader:
    """Takes uploads in: spooled, inspected, claimed, stored, ready; or nothing is left of them."""

    def __init__(
        self,
        spool: Spool,
        inspector: Inspector,
        store: MediaStore,
        objects: MediaObjects,
        sweeper: Sweeper,
        snowflakes: Snowflakes,
        registry: CollectorRegistry,
    ) -> None:
        self._spool = spool
        self._inspector = inspector
        self._store = store
        self._objects = objects
        self._sweeper = sweeper
        self._snowflakes = snowflakes
        self._stored = Counter(
            "aviary_tweet_media_stored_bytes",
            "Bytes of new objects in the object store",
            registry=registry,
        )

    async def upload(self, user_id: int, alt_text: str, pieces: AsyncIterator[bytes]) -> MediaRow:
        """Take a user's upload in."""
        async with self._spool.place(user_id) as folder:
            kind = await self._spool.receive(pieces, folder)
            found = await self._inspector.inspect(kind, folder)
            row = _row(self._snowflakes.next(), user_id, kind, alt_text, found)
            await self._store.claim(row)
            try:
                await self._keep(found, folder)
                await self._store.ready(row.media_id)
            except BaseException:
                await asyncio.shield(self._give_up(row.media_id))
                raise
            return row

    async def _keep(self, found: Findings, folder: Path) -> None:
        """Store the objects that are not there yet."""
        for each in (found.content, *found.thumbnails):
            if await self._objects.size(each.key) != each.size_bytes:
                await self._objects.put(each.key, folder / each.file)
                self._stored.inc(each.size_bytes)

    async def _give_up(self, media_id: int) -> None:
        """Take a claim back; what this cannot reach, the sweep will."""
        try:
            await self._store.give_up(media_id)
        except Exception as error:
            log.warning("claim not taken back", media_id=media_id, why=str(error))
        self._sweeper.wake()


def _row(media_id: int, user_id: int, kind: MediaType, alt_text: str, found: Findings) -> MediaRow:
    content, small = found.content, found.thumbnails
    return MediaRow(
        media_id,
        user_id,
        kind.kind,
        kind.content_type,
        content.key,
        content.size_bytes,
        content.width,
        content.height,
        found.duration_ms,
        alt_text,
        [each.key for each in small],
        [each.width for each in small],
        [each.height for each in small],
    )
