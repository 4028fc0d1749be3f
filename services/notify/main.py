"""Composition root of the Notify service."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import check_pool, migrate, open_pool
from services.chassis.visibility import Visibility

from .delivery.endpoints import EndpointRules
from .delivery.mail import Composer, UnsubscribeTokens
from .delivery.push import VapidKey
from .inbox_stream import inbox_source
from .live import open_hub
from .message_forms import message_source
from .messaging import Messaging
from .servicer.notify import DESCRIPTOR, NotifyServicer
from .showing import Showing
from .store.stores import stores_on

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
        stores, showing = stores_on(pool, ids.next), Showing(graph)
        tweets = await enter(TweetClient(settings.tweet_address))
        visibility = Visibility(graph.check_visibility)
        source = inbox_source(pool, stores.inbox, showing)
        said = message_source(pool)
        tokens = UnsubscribeTokens(settings.vapid_key_path.read_bytes())
        servicer = NotifyServicer(
            stores=stores,
            showing=showing,
            hub=await enter(open_hub(source, dsn, runtime.draining)),
            messaging=Messaging(
                stores.conversations, stores.messages, stores.preferences, graph, tweets, visibility
            ),
            message_hub=await enter(open_hub(said, dsn, runtime.draining)),
            graph=graph,
            rules=EndpointRules(settings.push_hosts, allow_private=settings.push_allow_private),
            public_key=VapidKey(settings.vapid_key_path, settings.vapid_subject).public_key,
            tokens=tokens,
            composer=Composer(settings.mail_from, settings.public_url, tokens),
            next_id=ids.next,
        )
        yield Service({DESCRIPTOR: servicer}, {"postgres": partial(check_pool, pool)})
