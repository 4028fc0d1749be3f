"""Composition root of the notifier: it follows both logs, and delivers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import structlog

from clients.channel import Peer
from clients.deletions import DeletionReports
from clients.events import EventConsumer, Handler
from clients.graph import GraphClient
from clients.tweet import TweetClient
from services.chassis.background import keep_sweeping, running, working
from services.chassis.config import Settings
from services.chassis.errors import UnavailableError
from services.chassis.events.wake import Wake, listen
from services.chassis.server import Runtime, Service
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import check_pool, migrate, open_pool

from .delivery.dispatcher import KEEP_HOUSE_SECONDS, DeliveryMetrics, Dispatcher, watch_queues
from .delivery.endpoints import EndpointRules
from .delivery.mail import Composer, OutboxSender, SmtpSender, UnsubscribeTokens
from .delivery.making import Current, MailMaker, PushMaker
from .delivery.push import PushSender, VapidKey, open_sender
from .domain_preferences import Channel
from .showing import Showing
from .store.inbox import CHANNEL
from .store.message_keys import KEYS
from .store.stores import Stores, stores_on
from .telling import Teller

GROUP = "notify"
MIGRATIONS = Path(__file__).parent / "migrations"
TRANSIENT = (psycopg.OperationalError, UnavailableError, OSError)
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    """The worker with its subscriptions to Tweet's and Graph's logs, and its senders."""
    settings, registry = runtime.settings, runtime.registry
    await migrate(settings.notify_dsn, MIGRATIONS)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pool = await enter(open_pool(settings.notify_dsn, size=settings.pool_size, name="notifier"))
        tweets = await enter(TweetClient(settings.tweet_address))
        graph = await enter(GraphClient(settings.graph_address))
        ids = await enter(leased_snowflakes(pool, runtime.instance))
        stores, wake = stores_on(pool, ids.next), Wake()
        teller = Teller(stores.inbox, stores.preferences, graph, registry)
        reports = DeletionReports(tweets, "notifications")
        metrics = DeliveryMetrics(registry)
        sender = await enter(open_sender(_vapid(settings), _rules(settings)))
        dispatchers = _dispatchers(settings, stores, graph, sender, metrics)
        watching = running(
            listen(settings.notify_dsn, wake, CHANNEL),
            watch_queues(stores.deliveries, metrics),
            _keep_house(stores),
            keep_sweeping(partial(KEYS.prune, pool), KEEP_HOUSE_SECONDS, "old keys stay"),
        )
        telling = working(
            runtime.draining,
            _consume(tweets, reports.telling(teller.handle), runtime),
            _consume(graph, teller.handle, runtime),
            *(each.run(runtime.draining, wake) for each in dispatchers),
        )
        async with watching, telling:
            yield Service({}, {"postgres": partial(check_pool, pool)})


def _dispatchers(
    settings: Settings,
    stores: Stores,
    graph: GraphClient,
    sender: PushSender,
    metrics: DeliveryMetrics,
) -> list[Dispatcher]:
    """One for push, one for mail."""
    current = Current(stores.inbox, Showing(graph), settings.public_url)
    tokens = UnsubscribeTokens(settings.vapid_key_path.read_bytes())
    composer = Composer(settings.mail_from, settings.public_url, tokens)
    post = (
        SmtpSender(settings.smtp_url) if settings.smtp_url else OutboxSender(settings.outbox_folder)
    )
    push = PushMaker(current, stores.preferences, stores.subscriptions, sender)
    mail = MailMaker(current, stores.preferences, graph, composer, post)
    queue = stores.deliveries
    return [
        Dispatcher(Channel.PUSH, queue, push, metrics, settings.push_concurrency),
        Dispatcher(Channel.EMAIL, queue, mail, metrics, settings.mail_concurrency),
    ]


def _vapid(settings: Settings) -> VapidKey:
    return VapidKey(settings.vapid_key_path, settings.vapid_subject)


def _rules(settings: Settings) -> EndpointRules:
    return EndpointRules(settings.push_hosts, allow_private=settings.push_allow_private)


async def _keep_house(stores: Stores) -> None:
    while True:
        await asyncio.sleep(KEEP_HOUSE_SECONDS)
        try:
            await stores.inbox.forget_old()
            await stores.deliveries.forget_old()
        except (psycopg.Error, OSError) as error:
            log.warning("old rows stay", why=str(error))


async def _consume(peer: Peer, handler: Handler, runtime: Runtime) -> None:
    consumer = EventConsumer(peer, group=GROUP, member=runtime.instance, transient=TRANSIENT)
    await consumer.keep_running(handler, runtime.draining)
