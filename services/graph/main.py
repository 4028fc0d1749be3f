"""Composition root of the Graph service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from clients.context import traceparent
from services.chassis.background import running
from services.chassis.events import servicer as events
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import check_pool, migrate, open_pool, open_redis
from services.chassis.tokens import TokenSigner

from .passwords import Passwords
from .plans import load_plans
from .servicer.graph import DESCRIPTOR, GraphServicer
from .servicer.messages import Messages, event_of
from .store.expiry import keep_swept
from .store.stores import stores_on

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The service on its database, with Redis beside it."""
    settings, registry = runtime.settings, runtime.registry
    dsn = settings.graph_dsn
    await migrate(dsn, MIGRATIONS)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        pool = await enter(open_pool(dsn, size=settings.pool_size, name=runtime.instance))
        redis = await enter(open_redis(settings.redis_url))
        next_id = (await enter(leased_snowflakes(pool, runtime.instance))).next
        passwords = await enter(Passwords(registry))
        event_log = await enter(events.event_servicer(pool, dsn, runtime.draining, registry))
        await enter(running(keep_swept(pool)))
        messages = Messages(settings.public_url, load_plans(), next_id)
        stores = stores_on(
            pool,
            redis,
            registry,
            next_id=next_id,
            encode_user=messages.user_bytes,
            user_updated=messages.user_updated,
            event_of=event_of,
            traceparent=traceparent,
        )
        await enter(stores.user_cache.shared.retrying())
        await enter(stores.follower_cache.shared.retrying())
        signer = TokenSigner(settings.signing_key_path)
        graph = GraphServicer(stores, passwords, signer, messages, next_id)
        servicers = {DESCRIPTOR: graph, events.DESCRIPTOR: event_log}
        yield Service(servicers, {"postgres": partial(check_pool, pool)})
