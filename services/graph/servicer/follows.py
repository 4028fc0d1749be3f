"""Following and its lists."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of

from ..domain import MAX_ID
from ..domain_follows import Action, Command, check_not_self
from ..errors import UserNotFoundError
from ..store.follow_writer import FollowWriter
from ..store.follows import PostgresFollows
from ..store.user_cache import UserCache
from ..store.users import PostgresUsers
from .messages import follow_message

ListRequest: TypeAlias = pb.ListFollowersRequest | pb.ListFollowingRequest
List: TypeAlias = Callable[[int, int, int], Awaitable[tuple[list[int], list[int]]]]


class FollowMethods:
    """Follow, Unfollow, UpdateFollow, ListFollowers, ListFollowing."""

    def __init__(
        self,
        follows: PostgresFollows,
        writer: FollowWriter,
        users: PostgresUsers,
        cache: UserCache,
    ) -> None:
        self._follows = follows
        self._writer = writer
        self._listed_users = users
        self._listed_cache = cache

    async def follow(self, request: pb.FollowRequest, call: Call) -> pb.FollowResponse:
        """Follow a user."""
        follow = await self._writer.carry_out(_command(Action.FOLLOW, request, call))
        assert follow is not None
        return pb.FollowResponse(follow=follow_message(follow))

    async def unfollow(self, request: pb.UnfollowRequest, call: Call) -> pb.UnfollowResponse:
        """Follow a user no longer."""
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

    async def _list(self, name: str, read: List, request: ListRequest, call: Call) -> bytes:
        user_id = call.any_user_id(request.user_id)
        size = page_size_of(request.page_size)
        position = decode_page_token(request.page_token, name, user_id)
        follow_ids, user_ids = await read(user_id, position[0] if position else MAX_ID, size + 1)
        if not user_ids and await self._listed_users.get(user_id) is None:
            raise UserNotFoundError(user_id=user_id)
        users = await self._listed_cache.join(user_ids[:size])
        if len(user_ids) <= size:
            return users
        # Both replies have their users in field 1 and the token in field 2.
        token = encode_page_token([follow_ids[size - 1]], name, user_id)
        return users + pb.ListFollowersResponse(next_page_token=token).SerializeToString()


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
