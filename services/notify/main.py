"""Composition root of the Notify service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from clients.graph import GraphClient
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import check_pool, migrate, open_pool

from .inbox_stream import inbox_source
from .live import open_hub
from .servicer.notify import DESCRIPTOR, NotifyServicer
from .showing import Showing
from .store.inbox import InboxStore
from .store.preferences import PreferenceStore

MIGRATIONS = Path(__file__).parent / "migrations"


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service on its database."""
    settings, dsn = runtime.settings, runtime.settings.notify_dsn
    await migrate(dsn, MIGRATIONS)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(open_pool(dsn, size=settings.pool_size, name="notify"))
        graph = await enter(GraphClient(settings.graph_address))
        ids = await enter(leased_snowflakes(pool, runtime.instance))
        inbox, showing = InboxStore(pool, ids.next), Showing(graph)
        hub = await enter(open_hub(inbox_source(pool, inbox, showing), dsn, runtime.draining))
        servicer = NotifyServicer(
            inbox=inbox, showing=showing, hub=hub, preferences=PreferenceStore(pool)
        )
        yield Service({DESCRIPTOR: servicer}, {"postgres": partial(check_pool, pool)})
