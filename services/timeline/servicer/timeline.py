"""`aviary.timeline.v1.TimelineService` whole, from the parts that serve it."""

from aviary.timeline.v1 import timeline_service_pb2 as pb

from ..home import HomeTimelines
from ..hydrate import Hydrator
from ..rebuild import Builds
from ..user_timeline import UserTimelines
from .operators import OperatorMethods
from .pages import PageMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TimelineService"]


class TimelineServicer(PageMethods, OperatorMethods):
    """Every method that this version serves."""

    def __init__(
        self, home: HomeTimelines, users: UserTimelines, hydrator: Hydrator, builds: Builds
    ) -> None:
        PageMethods.__init__(self, home, users)
        OperatorMethods.__init__(self, hydrator, builds)
