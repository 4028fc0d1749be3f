"""Relations between users: follows, requests, blocks, mutes, and what follows from them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TypeAlias, TypeVar

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import user_pb2, visibility_pb2

from .channel import Peer, UnaryMethod, bearer

User: TypeAlias = user_pb2.User
Mute: TypeAlias = visibility_pb2.Mute
Subject: TypeAlias = visibility_pb2.VisibilitySubject
Verdict: TypeAlias = visibility_pb2.VisibilityVerdict
Surface: TypeAlias = int
"""A number of `aviary.graph.v1.Surface`, such as SURFACE_HOME_TIMELINE."""
MAX_VIEWERS = 64
"""Viewers asked about at a time: below the 256 allowed, so that a reply of theirs fits."""
MAX_SUBJECTS = 1_000
UsersRequest: TypeAlias = (
    pb.ListFollowersRequest
    | pb.ListFollowingRequest
    | pb.ListFollowRequestsRequest
    | pb.ListBlocksRequest
)
UsersPage = TypeVar(
    "UsersPage",
    pb.ListFollowersResponse,
    pb.ListFollowingResponse,
    pb.ListFollowRequestsResponse,
    pb.ListBlocksResponse,
)
SERVICE = "/aviary.graph.v1.GraphService"


class RelationCalls(Peer):
    """The part of the Graph service that is about two users; whoever calls acts."""

    def __init__(self, name: str, address: str, *, token: str = "") -> None:
        super().__init__(name, address)
        self._metadata = bearer(token)
        self._follow = self.unary(f"{SERVICE}/Follow", pb.FollowResponse)
        self._unfollow = self.unary(f"{SERVICE}/Unfollow", pb.UnfollowResponse)
        self._update_follow = self.unary(f"{SERVICE}/UpdateFollow", pb.UpdateFollowResponse)
        self._accept = self.unary(f"{SERVICE}/AcceptFollowRequest", pb.AcceptFollowRequestResponse)
        self._reject = self.unary(f"{SERVICE}/RejectFollowRequest", pb.RejectFollowRequestResponse)
        self._block = self.unary(f"{SERVICE}/Block", pb.BlockResponse)
        self._unblock = self.unary(f"{SERVICE}/Unblock", pb.UnblockResponse)
        self._mute = self.unary(f"{SERVICE}/Mute", pb.MuteResponse)
        self._unmute = self.unary(f"{SERVICE}/Unmute", pb.UnmuteResponse)
        self._list_followers = self.unary(f"{SERVICE}/ListFollowers", pb.ListFollowersResponse)
        self._list_following = self.unary(f"{SERVICE}/ListFollowing", pb.ListFollowingResponse)
        self._list_requests = self.unary(
            f"{SERVICE}/ListFollowRequests", pb.ListFollowRequestsResponse
        )
        self._list_blocks = self.unary(f"{SERVICE}/ListBlocks", pb.ListBlocksResponse)
        self._list_mutes = self.unary(f"{SERVICE}/ListMutes", pb.ListMutesResponse)
        self._suggest_users = self.unary(f"{SERVICE}/SuggestUsers", pb.SuggestUsersResponse)
        self._dismiss = self.unary(f"{SERVICE}/DismissSuggestion", pb.DismissSuggestionResponse)
        self._check_visibility = self.unary(
            f"{SERVICE}/CheckVisibility", pb.CheckVisibilityResponse
        )
        self._viewer_rules = self.unary(
            f"{SERVICE}/BatchGetViewerRules", pb.BatchGetViewerRulesResponse
        )

    async def follow(self, target_user_id: int) -> pb.FollowResponse:
        """Follow a user as the caller; of a protected one it is a request (`follow.state`)."""
        request = pb.FollowRequest(target_user_id=target_user_id)
        return await self._follow(request, metadata=self._metadata)

    async def unfollow(self, target_user_id: int) -> None:
        """Follow a user no longer, as the caller, or take the request back."""
        request = pb.UnfollowRequest(target_user_id=target_user_id)
        await self._unfollow(request, metadata=self._metadata)

    async def update_follow(
        self,
        target_user_id: int,
        *,
        show_retweets: bool | None = None,
        notify: bool | None = None,
    ) -> pb.UpdateFollowResponse:
        """Change what a follow shows; None leaves it. PeerError FOLLOW_NOT_FOUND."""
        request = pb.UpdateFollowRequest(
            target_user_id=target_user_id, show_retweets=show_retweets, notify=notify
        )
        return await self._update_follow(request, metadata=self._metadata)

    async def accept(self, requester_user_id: int) -> pb.AcceptFollowRequestResponse:
        """Let a waiting user follow the caller; PeerError FOLLOW_REQUEST_NOT_FOUND."""
        request = pb.AcceptFollowRequestRequest(requester_user_id=requester_user_id)
        return await self._accept(request, metadata=self._metadata)

    async def reject(self, requester_user_id: int) -> None:
        """Turn away a user who waits to follow the caller."""
        request = pb.RejectFollowRequestRequest(requester_user_id=requester_user_id)
        await self._reject(request, metadata=self._metadata)

    async def block(self, target_user_id: int) -> None:
        """Block a user as the caller."""
        await self._block(pb.BlockRequest(target_user_id=target_user_id), metadata=self._metadata)

    async def unblock(self, target_user_id: int) -> None:
        """Lift the caller's block."""
        request = pb.UnblockRequest(target_user_id=target_user_id)
        await self._unblock(request, metadata=self._metadata)

    async def mute(
        self,
        target_user_id: int,
        *,
        surfaces: Sequence[Surface] = (),
        expire_time: datetime | None = None,
    ) -> Mute:
        """Mute a user as the caller, everywhere or on some surfaces, for good or until a moment.

        `expire_time` must know its time zone.
        """
        request = pb.MuteRequest(
            target_user_id=target_user_id,
            surfaces=[visibility_pb2.Surface.Name(surface) for surface in surfaces],
            expire_time=expire_time,
        )
        return (await self._mute(request, metadata=self._metadata)).mute

    async def unmute(self, target_user_id: int) -> None:
        """Lift the caller's mute."""
        await self._unmute(pb.UnmuteRequest(target_user_id=target_user_id), metadata=self._metadata)

    def followers(self, user_id: str = "me", *, page_size: int = 100) -> AsyncIterator[User]:
        """A user's followers, latest first, page by page to the end."""
        request = pb.ListFollowersRequest(user_id=user_id, page_size=page_size)
        return self._users(self._list_followers, request)

    def following(self, user_id: str = "me", *, page_size: int = 100) -> AsyncIterator[User]:
        """Whom a user follows, latest first, page by page to the end."""
        request = pb.ListFollowingRequest(user_id=user_id, page_size=page_size)
        return self._users(self._list_following, request)

    def follow_requests(self, *, page_size: int = 100) -> AsyncIterator[User]:
        """Who waits to follow the caller, oldest first, page by page to the end."""
        request = pb.ListFollowRequestsRequest(page_size=page_size)
        return self._users(self._list_requests, request)

    def blocks(self, *, page_size: int = 100) -> AsyncIterator[User]:
        """Whom the caller blocked, latest first, page by page to the end."""
        return self._users(self._list_blocks, pb.ListBlocksRequest(page_size=page_size))

    async def mutes(self, *, page_size: int = 100) -> AsyncIterator[Mute]:
        """The caller's mutes that are in force, latest first, page by page to the end."""
        request = pb.ListMutesRequest(page_size=page_size)
        while True:
            page = await self._list_mutes(request, metadata=self._metadata)
            for mute in page.mutes:
                yield mute
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def suggestions(
        self, *, page_size: int = 0, page_token: str = ""
    ) -> pb.SuggestUsersResponse:
        """A page of whom the caller may want to follow, best first."""
        request = pb.SuggestUsersRequest(page_size=page_size, page_token=page_token)
        return await self._suggest_users(request, metadata=self._metadata)

    async def dismiss_suggestion(self, target_user_id: int) -> None:
        """Have a user suggested to the caller no more."""
        request = pb.DismissSuggestionRequest(target_user_id=target_user_id)
        await self._dismiss(request, metadata=self._metadata)

    async def check_visibility(
        self, viewer_user_id: int, surface: Surface, subjects: Sequence[Subject]
    ) -> list[Verdict]:
        """A verdict for each subject, in their order; any number. Viewer 0 is nobody known."""
        requests = [
            pb.CheckVisibilityRequest(
                viewer_user_id=viewer_user_id,
                surface=visibility_pb2.Surface.Name(surface),
                subjects=subjects[start : start + MAX_SUBJECTS],
            )
            for start in range(0, len(subjects), MAX_SUBJECTS)
        ]
        replies = await asyncio.gather(*(self._check_visibility(each) for each in requests))
        return [verdict for reply in replies for verdict in reply.verdicts]

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: Surface, mutual: bool = False
    ) -> dict[int, pb.ViewerRules]:
        """Each viewer's rules on a surface; `mutual` asks for `mutual_ids`. Any number of users."""
        unique = list(dict.fromkeys(user_ids))
        requests = [
            pb.BatchGetViewerRulesRequest(
                user_ids=unique[start : start + MAX_VIEWERS],
                surface=visibility_pb2.Surface.Name(surface),
                include_mutual=mutual,
            )
            for start in range(0, len(unique), MAX_VIEWERS)
        ]
        replies = await asyncio.gather(*(self._viewer_rules(each) for each in requests))
        return {rules.user_id: rules for reply in replies for rules in reply.results}

    async def _users(
        self, method: UnaryMethod[UsersPage], request: UsersRequest
    ) -> AsyncIterator[User]:
        while True:
            page = await method(request, metadata=self._metadata)
            for user in page.users:
                yield user
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
