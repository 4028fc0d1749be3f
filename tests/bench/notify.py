"""Notify: events into inboxes, messages, and deliveries to a local mail and push server."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from aviary.events.v1 import payload_pb2
from clients.events import Event
from clients.graph import GraphClient
from services.chassis.snowflake import leased_snowflakes
from services.chassis.stores import Pool, migrate, open_pool
from services.notify.delivery.dispatcher import DeliveryMetrics, Dispatcher
from services.notify.delivery.endpoints import EndpointRules
from services.notify.delivery.mail import Composer, SmtpSender, UnsubscribeTokens
from services.notify.delivery.making import Current, MailMaker, PushMaker
from services.notify.delivery.push import PushSender, Subscription, VapidKey, open_sender
from services.notify.domain_inbox import Kind
from services.notify.domain_messages import Member, Message, State
from services.notify.domain_preferences import DEFAULTS, Channel, EmailMode
from services.notify.showing import Showing
from services.notify.store.stores import Stores, stores_on
from services.notify.store.subscriptions import Keys
from services.notify.telling import Teller
from services.notify.worker import MIGRATIONS
from tests.notify.receivers import SECRET, MailServer
from tests.ports import free_port

from .bench import Bench
from .figures import Figure

STAGE = "notify"
FIGURES = ("inbox-events", "messages-sent", "push-deliveries", "push-bare", "mail-deliveries",
           "mail-bare")  # fmt: skip
BATCH = 500
AT_ONCE = 16
"""Messages of each kind under way, with the queue and without."""


async def notify(bench: Bench) -> None:
    """All figures, in a database of their own beside the running mesh."""
    mesh = bench.world.mesh
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await migrate(mesh.dsn("notify"), MIGRATIONS)
        pool = await enter(open_pool(mesh.dsn("notify"), size=8, name="bench"))
        graph = await enter(GraphClient(mesh.address("graph")))
        ids = await enter(leased_snowflakes(pool, "bench"))
        stores = stores_on(pool, ids.next)
        push_url = await enter(_push_service())
        mails = MailServer()
        mails.start()
        stack.callback(mails.stop)
        vapid = VapidKey(mesh.settings.vapid_key_path, "mailto:bench@example.org")
        sender = await enter(open_sender(vapid, EndpointRules("", allow_private=True)))
        work = Work(bench.world.people, pool, stores, graph, sender, push_url, mails, ids.next)
        await work.prepare()
        await mesh.stop("notifier")  # what is queued here is for this process
        try:
            await bench.take_turns(STAGE, work.figures())
        finally:
            await mesh.start("notifier")


class Work:
    """What is measured."""

    def __init__(
        self,
        people: Sequence[int],
        pool: Pool,
        stores: Stores,
        graph: GraphClient,
        sender: PushSender,
        push_url: str,
        mails: MailServer,
        next_id: Any,
    ) -> None:
        self._people = people
        self._pool = pool
        self._stores = stores
        self._next_id = next_id
        self._sender = sender
        self._mails = mails
        self._teller = Teller(stores.inbox, stores.preferences, graph, CollectorRegistry())
        current = Current(stores.inbox, Showing(graph), "http://aviary.test")
        composer = Composer("a@aviary.test", "http://aviary.test", UnsubscribeTokens(b"bench"))
        contacts: Any = _Contacts()
        metrics = DeliveryMetrics(CollectorRegistry())
        push = PushMaker(current, stores.preferences, stores.subscriptions, sender)
        mail = MailMaker(current, stores.preferences, contacts, composer, SmtpSender(mails.url))
        queue = stores.deliveries
        self._dispatchers = {
            Channel.PUSH: Dispatcher(Channel.PUSH, queue, push, metrics, AT_ONCE),
            Channel.EMAIL: Dispatcher(Channel.EMAIL, queue, mail, metrics, AT_ONCE),
        }
        self._browser = (
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        )
        self._endpoint = push_url
        self._numbers = itertools.count(1)
        self._conversation = 0

    async def prepare(self) -> None:
        """One user with a device who wants mail, and one conversation."""
        self._user, other = self._people[0], self._people[1]
        await self._stores.subscriptions.put(
            self._next_id(), self._user, self._endpoint, Keys(self._browser, SECRET), "bench"
        )
        mine = DEFAULTS._replace(email_mode=EmailMode.IMMEDIATE)
        await self._stores.preferences.put(self._user, mine)
        members = [Member(self._user, State.MEMBER), Member(other, State.MEMBER)]
        made = await self._stores.conversations.create(self._user, members, "", False, "")
        self._conversation = made

    def figures(self) -> list[Figure]:
        """Rates, those of deliveries beside their senders without the queue."""
        return [
            Figure("inbox-events", "events into inboxes, in batches of 500", "events/s",
                   self._events),
            Figure("messages-sent", "direct messages into one conversation, in turn",
                   "messages/s", self._messages),
            Figure("push-deliveries", "push messages through the queue", "messages/s",
                   lambda s: self._deliveries(Channel.PUSH, s), ("push-bare",)),
            Figure("push-bare", "push messages, encrypted and sent, without the queue",
                   "messages/s", self._push_bare),
            Figure("mail-deliveries", "mails through the queue", "mails/s",
                   lambda s: self._deliveries(Channel.EMAIL, s), ("mail-bare",)),
            Figure("mail-bare", "mails sent, without the queue", "mails/s", self._mail_bare),
        ]  # fmt: skip

    async def _events(self, seconds: float) -> float:
        """Likes by everybody of everybody's tweets: each a new occurrence."""
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            await self._teller.handle([self._like() for _ in range(BATCH)])
            count += BATCH
        return count / (time.perf_counter() - began)

    def _like(self) -> Event:
        number = next(self._numbers)
        people = self._people
        payload = payload_pb2.TweetFavorited(
            user_id=people[number % len(people)],
            author_user_id=people[(number * 7 + 1) % len(people)],
            tweet_id=number // 20 + 1,
        )
        event = Event(
            event_id=self._next_id(), kind="TweetFavorited", payload=payload.SerializeToString()
        )
        event.create_time.GetCurrentTime()
        return event

    async def _messages(self, seconds: float) -> float:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            message = Message(self._conversation, 0, self._user, "hello there", 0)
            assert await self._stores.messages.send(message, "", [self._people[1]])
            count += 1
        return count / (time.perf_counter() - began)

    async def _deliveries(self, channel: Channel, seconds: float) -> float:
        """Mentions are queued first, unmeasured; then the queue is drained for so long."""
        events = []
        for _ in range(int(1_500 * seconds)):
            tweet = payload_pb2.TweetCreated()
            tweet.tweet.tweet_id, tweet.tweet.user_id = self._next_id(), self._people[2]
            tweet.tweet.create_time.GetCurrentTime()
            tweet.tweet.entities.user_mentions.add(user_id=self._user)
            event = Event(
                event_id=self._next_id(), kind="TweetCreated", payload=tweet.SerializeToString()
            )
            event.create_time.GetCurrentTime()
            events.append(event)
        for start in range(0, len(events), BATCH):
            await self._teller.handle(events[start : start + BATCH])
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            made = await self._dispatchers[channel].step()
            if not made:
                break
            count += made
        rate = count / (time.perf_counter() - began)
        async with self._pool.connection() as connection:
            await connection.execute("UPDATE deliveries SET state = 3 WHERE state = 0")
        return rate

    async def _push_bare(self, seconds: float) -> float:
        device = Subscription(1, self._user, self._endpoint, self._browser, SECRET)
        payload = {"title": "Aviary", "body": "somebody mentioned you", "tweet_id": "1"}

        async def send() -> None:
            await self._sender.send(device, Kind.MENTION, "topic", payload)

        return await _rate(send, seconds)

    async def _mail_bare(self, seconds: float) -> float:
        sender = SmtpSender(self._mails.url)

        async def send() -> None:
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = "a@b.test", "c@d.test", "x"
            mail.set_content("somebody mentioned you")
            await sender.send(mail)

        return await _rate(send, seconds)


class _Contacts:
    """Everybody has an address."""

    async def contacts(self, user_ids: Sequence[int]) -> dict[int, Any]:
        """Addresses that lead nowhere."""
        return {u: _Contact(u) for u in user_ids}


class _Contact:
    def __init__(self, user_id: int) -> None:
        self.display_name = self.user_name = f"u{user_id}"
        self.email = f"u{user_id}@example.org"


async def _rate(send: Any, seconds: float) -> float:
    """How often a second something is done, so many at once."""
    count, began = 0, time.perf_counter()

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await send()
            count += 1

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def _push_service() -> AsyncIterator[str]:
    """A push service that takes everything."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201)

    port = free_port()
    app = web.Application()
    app.router.add_post("/{rest:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/bench"
    finally:
        await runner.cleanup()
