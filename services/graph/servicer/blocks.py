"""Blocking."""

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call

from ..domain_follows import Action, Command, check_not_self
from ..store.follow_writer import FollowWriter
from ..store.follows import PostgresFollows
from .user_pages import UserPages


class BlockMethods:
    """Block, Unblock, ListBlocks."""

    def __init__(self, follows: PostgresFollows, writer: FollowWriter, pages: UserPages) -> None:
        self._blocks = follows
        self._block_writer = writer
        self._block_pages = pages

    async def block(self, request: pb.BlockRequest, call: Call) -> pb.BlockResponse:
        """Block a user, which ends follows and requests between the two."""
        user_id = call.own_user_id(request.user_id)
        check_not_self(user_id, request.target_user_id)
        await self._block_writer.carry_out(Command(Action.BLOCK, user_id, request.target_user_id))
        return pb.BlockResponse()

    async def unblock(self, request: pb.UnblockRequest, call: Call) -> pb.UnblockResponse:
        """Lift a block."""
        user_id = call.own_user_id(request.user_id)
        await self._block_writer.carry_out(Command(Action.UNBLOCK, user_id, request.target_user_id))
        return pb.UnblockResponse()

    async def list_blocks(self, request: pb.ListBlocksRequest, call: Call) -> bytes:
        """A page of whom the caller blocked."""
        user_id = call.own_user_id(request.user_id)
        return await self._block_pages.page("blocks", self._blocks.blocked, user_id, request)
