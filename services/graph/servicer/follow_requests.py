"""Who waits to follow a protected account."""

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call

from ..domain_follows import Action, Command
from ..store.follow_writer import FollowWriter
from ..store.follows import PostgresFollows
from .messages import follow_message
from .user_pages import UserPages


class FollowRequestMethods:
    """ListFollowRequests, AcceptFollowRequest, RejectFollowRequest."""

    def __init__(self, follows: PostgresFollows, writer: FollowWriter, pages: UserPages) -> None:
        self._requests = follows
        self._request_writer = writer
        self._request_pages = pages

    async def list_follow_requests(
        self, request: pb.ListFollowRequestsRequest, call: Call
    ) -> bytes:
        """A page of those who wait for the caller."""
        user_id = call.own_user_id(request.user_id)
        read = self._requests.requesters
        return await self._request_pages.page("follow_requests", read, user_id, request, start=0)

    async def accept_follow_request(
        self, request: pb.AcceptFollowRequestRequest, call: Call
    ) -> pb.AcceptFollowRequestResponse:
        """Let a waiting user follow the caller."""
        user_id = call.own_user_id(request.user_id)
        follow = await self._request_writer.carry_out(
            Command(Action.ACCEPT, request.requester_user_id, user_id)
        )
        assert follow is not None
        return pb.AcceptFollowRequestResponse(follow=follow_message(follow))

    async def reject_follow_request(
        self, request: pb.RejectFollowRequestRequest, call: Call
    ) -> pb.RejectFollowRequestResponse:
        """Turn a waiting user away."""
        user_id = call.own_user_id(request.user_id)
        await self._request_writer.carry_out(
            Command(Action.REJECT, request.requester_user_id, user_id)
        )
        return pb.RejectFollowRequestResponse()
