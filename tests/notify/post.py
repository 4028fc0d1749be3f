"""The queue with both dispatchers, on a real database."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from aviary.graph.v1 import graph_service_pb2 as graph_pb
from services.notify.delivery.dispatcher import DeliveryMetrics, Dispatcher
from services.notify.delivery.mail import Composer, UnsubscribeTokens
from services.notify.delivery.making import Current, MailMaker, PushMaker
from services.notify.domain_preferences import DEFAULTS, Channel, EmailMode
from services.notify.showing import Showing
from services.notify.store.deliveries import DeliveryStore
from services.notify.store.subscriptions import SubscriptionStore

from .rig import Rig

KEY = b"a key that nobody knows"


class Contacts:
    """Everybody has an address, but for those without."""

    def __init__(self) -> None:
        self.without: set[int] = set()

    async def contacts(self, user_ids: Sequence[int]) -> dict[int, Any]:
        return {
            u: graph_pb.Contact(
                user_id=u, display_name=f"User <{u}>",
                email="" if u in self.without else f"u{u}@example.org",
            )
            for u in user_ids
        }  # fmt: skip


class Post:
    """The queue with both dispatchers."""

    def __init__(self, rig: Rig, sender: Any, mails: Any, registry: CollectorRegistry) -> None:
        self.rig = rig
        self.store = DeliveryStore(rig.pool)
        self.subscriptions = SubscriptionStore(rig.pool)
        self.contacts = Contacts()
        self.registry = registry
        graph: Any = rig.graph
        contacts: Any = self.contacts
        current = Current(rig.inbox, Showing(graph), "http://aviary.test")
        composer = Composer("Aviary <no@aviary.test>", "http://aviary.test", UnsubscribeTokens(KEY))
        metrics = DeliveryMetrics(registry)
        push = PushMaker(current, rig.preferences, self.subscriptions, sender)
        mail = MailMaker(current, rig.preferences, contacts, composer, mails)
        self.push = Dispatcher(Channel.PUSH, self.store, push, metrics, 4)
        self.mail = Dispatcher(Channel.EMAIL, self.store, mail, metrics, 4)

    async def drain(self, dispatcher: Dispatcher) -> None:
        while await dispatcher.step():
            pass

    async def wants_mail(self, user: int, mode: EmailMode = EmailMode.IMMEDIATE) -> None:
        await self.rig.preferences.put(user, DEFAULTS._replace(email_mode=mode))

    async def states(self) -> list[tuple[int, int, int]]:
        """(channel, state, attempts) of every delivery."""
        return sorted(await self.rig.sql("SELECT channel, state, attempts FROM deliveries"))

    async def now_due(self) -> None:
        await self.rig.sql("UPDATE deliveries SET due_time = now() RETURNING 1")

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0
