"""Every store of the Notify service, on one pool."""

from collections.abc import Callable
from typing import NamedTuple

from services.chassis.stores import Pool

from .conversations import ConversationStore
from .deliveries import DeliveryStore
from .inbox import InboxStore
from .messages import MessageStore
from .preferences import PreferenceStore
from .subscriptions import SubscriptionStore


class Stores(NamedTuple):
    """The stores, by what they hold."""

    inbox: InboxStore
    preferences: PreferenceStore
    deliveries: DeliveryStore
    subscriptions: SubscriptionStore
    conversations: ConversationStore
    messages: MessageStore


def stores_on(pool: Pool, next_id: Callable[[], int]) -> Stores:
    """The stores of one database."""
    inbox = InboxStore(pool, next_id)
    return Stores(
        inbox,
        PreferenceStore(pool),
        DeliveryStore(pool),
        SubscriptionStore(pool),
        ConversationStore(pool, next_id),
        MessageStore(pool, inbox, next_id),
    )
