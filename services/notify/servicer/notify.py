"""NotifyService whole, from the parts that serve it."""

from aviary.notify.v1 import notify_service_pb2 as pb

from ..live import LiveHub
from ..showing import Showing
from ..store.inbox import InboxStore
from ..store.preferences import PreferenceStore
from .inbox import InboxMethods
from .preferences import PreferenceMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["NotifyService"]


class NotifyServicer(InboxMethods, PreferenceMethods):
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""

    def __init__(
        self, *, inbox: InboxStore, showing: Showing, hub: LiveHub, preferences: PreferenceStore
    ) -> None:
        InboxMethods.__init__(self, inbox, showing, hub)
        PreferenceMethods.__init__(self, preferences)
