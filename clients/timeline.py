"""The Timeline service as its callers see it."""

from aviary.timeline.v1 import timeline_service_pb2 as pb

from .channel import Peer, bearer

_SERVICE = "/aviary.timeline.v1.TimelineService"


class TimelineClient(Peer):
    """Calls to the Timeline service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("timeline", address)
        self._metadata = bearer(token)
        self._home = self.unary(f"{_SERVICE}/GetHomeTimeline", pb.GetHomeTimelineResponse)
        self._user = self.unary(f"{_SERVICE}/GetUserTimeline", pb.GetUserTimelineResponse)
        self._rebuild = self.unary(
            f"{_SERVICE}/RebuildHomeTimeline", pb.RebuildHomeTimelineResponse
        )

    async def home(
        self,
        user_id: str = "me",
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
        include_replies: str = "",
        ranking: str = "",
    ) -> pb.GetHomeTimelineResponse:
        """A page of the caller's home timeline."""
        request = pb.GetHomeTimelineRequest(
            user_id=user_id,
            page_size=page_size,
            page_token=page_token,
            since_id=since_id,
            max_id=max_id,
            include_replies=include_replies,
            ranking=ranking,
        )
        return await self._home(request, metadata=self._metadata)

    async def user(
        self,
        user_id: str,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
        include_replies: bool = True,
    ) -> pb.GetUserTimelineResponse:
        """A page of a user's own tweets; PeerError with the reason USER_NOT_FOUND."""
        request = pb.GetUserTimelineRequest(
            user_id=user_id,
            page_size=page_size,
            page_token=page_token,
            since_id=since_id,
            max_id=max_id,
            include_replies=include_replies,
        )
        return await self._user(request, metadata=self._metadata)

    async def rebuild(self, user_id: int) -> int:
        """Build a user's home list anew, as an operator; how many entries it then has."""
        request = pb.RebuildHomeTimelineRequest(user_id=user_id)
        return (await self._rebuild(request, metadata=self._metadata)).entry_count
