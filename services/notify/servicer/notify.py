"""NotifyService whole, from the parts that serve it."""

from collections.abc import Callable

from aviary.notify.v1 import notify_service_pb2 as pb
from clients.graph import GraphClient

from ..delivery.endpoints import EndpointRules
from ..delivery.mail import Composer, UnsubscribeTokens
from ..live import LiveHub
from ..messaging import Messaging
from ..showing import Showing
from ..store.stores import Stores
from .inbox import InboxMethods
from .messages import MessageMethods
from .preferences import PreferenceMethods
from .push import PushMethods
from .queues import QueueMethods, UnsubscribeMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["NotifyService"]


class NotifyServicer(
    InboxMethods,
    PreferenceMethods,
    PushMethods,
    QueueMethods,
    UnsubscribeMethods,
    MessageMethods,
):
    """Every method of the service."""

    def __init__(
        self,
        *,
        stores: Stores,
        showing: Showing,
        hub: LiveHub,
        messaging: Messaging,
        message_hub: LiveHub,
        graph: GraphClient,
        rules: EndpointRules,
        public_key: str,
        tokens: UnsubscribeTokens,
        composer: Composer,
        next_id: Callable[[], int],
    ) -> None:
        InboxMethods.__init__(self, stores.inbox, showing, hub)
        PreferenceMethods.__init__(self, stores.preferences)
        PushMethods.__init__(self, stores.subscriptions, rules, public_key, next_id)
        QueueMethods.__init__(self, stores.deliveries)
        UnsubscribeMethods.__init__(self, tokens, composer, stores.preferences)
        MessageMethods.__init__(
            self, messaging, stores.conversations, stores.messages, graph, message_hub
        )
