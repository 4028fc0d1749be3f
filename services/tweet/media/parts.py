"""The parts of media put together, for the service's composition root."""

import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from services.chassis.background import running
from services.chassis.config import Settings
from services.chassis.snowflake import Snowflakes
from services.chassis.stores import Pool

from .attaching import MediaFinder
from .inspecting import Inspector
from .objects import MediaObjects, open_objects
from .spool import Spool
from .store import MediaStore
from .sweeping import Sweeper
from .uploading import Uploader


class Media(NamedTuple):
    """What the service needs of media."""

    store: MediaStore
    objects: MediaObjects
    finder: MediaFinder
    uploader: Uploader
    sweeper: Sweeper


@contextlib.asynccontextmanager
async def open_media(
    settings: Settings, pool: Pool, ids: Snowflakes, registry: CollectorRegistry
) -> AsyncIterator[Media]:
    """The parts, with the sweeper at work."""
    store = MediaStore(pool)
    objects = open_objects(settings.object_store, settings.media_folder)
    spool = Spool(
        settings.uploads_path,
        idle_seconds=settings.upload_idle_seconds,
        max_uploads=settings.max_uploads,
    )
    sweeper = Sweeper(store, objects, spool)
    inspector = Inspector(settings.media_workers)
    uploader = Uploader(spool, inspector, store, objects, sweeper, ids, registry)
    async with running(sweeper.keep_swept()):
        yield Media(store, objects, MediaFinder(store), uploader, sweeper)
