"""What operators do to timelines; that the caller is one has been checked by the policy."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.visibility import UserNotFoundError

from ..hydrate import Hydrator
from ..rebuild import Builds


class OperatorMethods:
    """Rebuilding."""

    def __init__(self, hydrator: Hydrator, builds: Builds) -> None:
        self._hydrator = hydrator
        self._builds = builds

    async def rebuild_home_timeline(
        self, request: pb.RebuildHomeTimelineRequest, _call: Call
    ) -> pb.RebuildHomeTimelineResponse:
        """Build a list anew."""
        if not await self._hydrator.users([request.user_id]):
            raise UserNotFoundError(user_id=request.user_id)
        count = await self._builds.anew(request.user_id)
        return pb.RebuildHomeTimelineResponse(user_id=request.user_id, entry_count=count)
