"""Every store of the Notify service, on one pool."""

from collections.abc import Callable
from typing import NamedTuple

from services.chassis.stores import Pool

from .deliveries import DeliveryStore
from .inbox import InboxStore
from .preferences import PreferenceStore
from .subscriptions import SubscriptionStore


class Stores(NamedTuple):
    """The stores, by what they hold."""

    inbox: InboxStore
    preferences: PreferenceStore
    deliveries: DeliveryStore
    subscriptions: SubscriptionStore


def stores_on(pool: Pool, next_id: Callable[[], int]) -> Stores:
    """The stores of one database."""
    return Stores(
        InboxStore(pool, next_id),
        PreferenceStore(pool),
        DeliveryStore(pool),
        SubscriptionStore(pool),
    )
