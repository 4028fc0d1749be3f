"""Composition root of the notifier: it follows both logs, and delivers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import structlog

from clients.channel import Peer
from clients.events import EventConsumer, Handler
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.errors import UnavailableError
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import check_pool, migrate, open_pool
from services.chassis.visibility import Visibility

from .store.inbox import InboxStore
from .store.preferences import PreferenceStore
from .telling import Teller

GROUP = "notify"
RESTART_SECONDS = 1.0
MIGRATIONS = Path(__file__).parent / "migrations"
TRANSIENT = (psycopg.OperationalError, UnavailableError, OSError)
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The worker with its subscriptions to Tweet's and Graph's logs."""
    settings, registry = runtime.settings, runtime.registry
    await migrate(settings.notify_dsn, MIGRATIONS)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(open_pool(settings.notify_dsn, size=settings.pool_size, name="notifier"))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        ids = await enter(leased_snowflakes(pool, runtime.instance))
        teller = Teller(
            InboxStore(pool, ids.next),
            PreferenceStore(pool),
            graph,
            Visibility(graph.check_visibility),
            registry,
        )
        tasks = [
            asyncio.create_task(_consume(tweets, teller.handle, runtime)),
            asyncio.create_task(_consume(graph, teller.handle, runtime)),
        ]
        try:
            yield Service({}, {"postgres": partial(check_pool, pool)})
        finally:
            runtime.draining.set()
            await asyncio.wait(tasks)


async def _consume(peer: Peer, handler: Handler, runtime: Runtime) -> None:
    consumer = EventConsumer(peer, group=GROUP, member=runtime.instance, transient=TRANSIENT)
    while not runtime.draining.is_set():
        try:
            await consumer.run(handler, runtime.draining)
        except Exception:
            log.exception("consumer failed, starting it again", peer=peer.name)
            await asyncio.sleep(RESTART_SECONDS)
