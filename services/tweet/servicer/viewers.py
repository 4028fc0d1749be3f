"""What users did to tweets, for the services that show them."""

from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.viewer_pb2 import RecentViewer
from services.chassis.call import Call

from ..store.engaged import EngagedStore
from .limits import check_count

MAX_IDS, MAX_VIEWERS = 100, 256


class ViewerMethods:
    """GetViewer, BatchGetViewers."""

    def __init__(self, engaged: EngagedStore) -> None:
        self._viewers = engaged

    async def get_viewer(self, request: pb.GetViewerRequest, _call: Call) -> pb.GetViewerResponse:
        """What one user did to some tweets."""
        check_count("tweet_ids", len(request.tweet_ids), MAX_IDS)
        engaged = await self._viewers.of_tweets(request.user_id, request.tweet_ids)
        return pb.GetViewerResponse(viewer=engaged.viewer())

    async def batch_get_viewers(
        self, request: pb.BatchGetViewersRequest, _call: Call
    ) -> pb.BatchGetViewersResponse:
        """The newest of what many users did."""
        check_count("user_ids", len(request.user_ids), MAX_VIEWERS)
        found = await self._viewers.recent(request.user_ids) if request.user_ids else []
        return pb.BatchGetViewersResponse(
            viewers=[
                RecentViewer(
                    user_id=recent.user_id,
                    viewer=recent.engaged.viewer(),
                    since_id=recent.since_id,
                )
                for recent in found
            ]
        )
