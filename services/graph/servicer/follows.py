"""Following and its lists."""

from typing import TypeAlias

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call

from ..domain_follows import Action, Command, check_not_self
from ..errors import UserNotFoundError
from ..store.follow_writer import FollowWriter
from ..store.follows import PostgresFollows
from ..store.users import PostgresUsers
from .messages import follow_message
from .user_pages import Read, UserPages

ListRequest: TypeAlias = pb.ListFollowersRequest | pb.ListFollowingRequest


class FollowMethods:
    """Follow, Unfollow, UpdateFollow, ListFollowers, ListFollowing."""

    def __init__(
        self,
        follows: PostgresFollows,
        writer: FollowWriter,
        users: PostgresUsers,
        pages: UserPages,
    ) -> None:
        self._follows = follows
        self._writer = writer
        self._listed_users = users
        self._pages = pages

    async def follow(self, request: pb.FollowRequest, call: Call) -> pb.FollowResponse:
        """Follow a user, or ask a protected one."""
        follow = await self._writer.carry_out(_command(Action.FOLLOW, request, call))
        assert follow is not None
        return pb.FollowResponse(follow=follow_message(follow))

    async def unfollow(self, request: pb.UnfollowRequest, call: Call) -> pb.UnfollowResponse:
        """Follow a user no longer, or ask no longer."""
        user_id = call.own_user_id(request.user_id)
        check_not_self(user_id, request.target_user_id)
        await self._writer.carry_out(Command(Action.UNFOLLOW, user_id, request.target_user_id))
        return pb.UnfollowResponse()

    async def update_follow(
        self, request: pb.UpdateFollowRequest, call: Call
    ) -> pb.UpdateFollowResponse:
        """Change what a follow shows."""
        follow = await self._writer.carry_out(_command(Action.UPDATE, request, call))
        assert follow is not None
        return pb.UpdateFollowResponse(follow=follow_message(follow))

    async def list_followers(self, request: pb.ListFollowersRequest, call: Call) -> bytes:
        """A page of a user's followers."""
        return await self._list("followers", self._follows.followers, request, call)

    async def list_following(self, request: pb.ListFollowingRequest, call: Call) -> bytes:
        """A page of whom a user follows."""
        return await self._list("following", self._follows.following, request, call)

    async def _list(self, name: str, read: Read, request: ListRequest, call: Call) -> bytes:
        user_id = call.any_user_id(request.user_id)
        page = await self._pages.page(name, read, user_id, request)
        if not page and await self._listed_users.get(user_id) is None:
            raise UserNotFoundError(user_id=user_id)
        return page


def _command(
    action: Action, request: pb.FollowRequest | pb.UpdateFollowRequest, call: Call
) -> Command:
    user_id = call.own_user_id(request.user_id)
    check_not_self(user_id, request.target_user_id)
    return Command(
        action,
        user_id,
        request.target_user_id,
        request.show_retweets if request.HasField("show_retweets") else None,
        request.notify if request.HasField("notify") else None,
    )
