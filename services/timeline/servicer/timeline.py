"""`aviary.timeline.v1.TimelineService` whole, from the parts that serve it."""

from aviary.timeline.v1 import timeline_service_pb2 as pb

from ..live.live import LiveTimelines
from ..policy.store import PolicyStore
from ..readers import Readers
from .explain import ExplainMethods
from .home import HomeMethods
from .operators import OperatorMethods
from .pages import PageMethods
from .policies import PolicyMethods
from .streams import StreamMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TimelineService"]


class TimelineServicer(
    HomeMethods, PageMethods, StreamMethods, ExplainMethods, OperatorMethods, PolicyMethods
):
    """Every method of the contract."""

    def __init__(self, readers: Readers, live: LiveTimelines, policies: PolicyStore) -> None:
        HomeMethods.__init__(self, readers.home, readers.top, readers.relations)
        PageMethods.__init__(self, readers.users)
        StreamMethods.__init__(self, live)
        ExplainMethods.__init__(self, readers.explainer, readers.relations)
        OperatorMethods.__init__(self, readers.hydrator, readers.builds)
        PolicyMethods.__init__(self, policies)
