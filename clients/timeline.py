"""The Timeline service as its callers see it."""

import contextlib
from collections.abc import AsyncGenerator
from typing import TypeAlias

from aviary.timeline.v1 import timeline_pb2
from aviary.timeline.v1 import timeline_service_pb2 as pb

from .channel import Peer, bearer

FanoutPolicy: TypeAlias = timeline_pb2.FanoutPolicy
_SERVICE = "/aviary.timeline.v1.TimelineService"


class TimelineClient(Peer):
    """Calls to the Timeline service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("timeline", address)
        self._metadata = bearer(token)
        self._home = self.unary(f"{_SERVICE}/GetHomeTimeline", pb.GetHomeTimelineResponse)
        self._user = self.unary(f"{_SERVICE}/GetUserTimeline", pb.GetUserTimelineResponse)
        self._mentions = self.unary(f"{_SERVICE}/GetMentionTimeline", pb.GetMentionTimelineResponse)
        self._explain = self.unary(f"{_SERVICE}/ExplainTimeline", pb.ExplainTimelineResponse)
        self._stream = self.server_stream(
            f"{_SERVICE}/StreamHomeTimeline", pb.StreamHomeTimelineResponse
        )
        self._rebuild = self.unary(
            f"{_SERVICE}/RebuildHomeTimeline", pb.RebuildHomeTimelineResponse
        )
        self._get_policy = self.unary(f"{_SERVICE}/GetFanoutPolicy", pb.GetFanoutPolicyResponse)
        self._update_policy = self.unary(
            f"{_SERVICE}/UpdateFanoutPolicy", pb.UpdateFanoutPolicyResponse
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
        include_retweets: bool = True,
        only_media: bool = False,
    ) -> pb.GetUserTimelineResponse:
        """A page of a user's own tweets; PeerError: USER_NOT_FOUND, USER_NOT_VISIBLE."""
        request = pb.GetUserTimelineRequest(
            user_id=user_id,
            page_size=page_size,
            page_token=page_token,
            since_id=since_id,
            max_id=max_id,
            include_replies=include_replies,
            include_retweets=include_retweets,
            only_media=only_media,
        )
        return await self._user(request, metadata=self._metadata)

    async def mentions(
        self, user_id: str = "me", *, page_size: int = 0, page_token: str = ""
    ) -> pb.GetMentionTimelineResponse:
        """A page of the tweets that mention a user; PeerError: USER_NOT_FOUND."""
        request = pb.GetMentionTimelineRequest(
            user_id=user_id, page_size=page_size, page_token=page_token
        )
        return await self._mentions(request, metadata=self._metadata)

    async def explain(self, tweet_id: int) -> pb.ExplainTimelineResponse:
        """Why a tweet is in the caller's home timeline, or why it is not."""
        request = pb.ExplainTimelineRequest(tweet_id=tweet_id)
        return await self._explain(request, metadata=self._metadata)

    async def events(self, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
        """The caller's home timeline live, as pieces of `text/event-stream` of whole events."""
        request = pb.StreamHomeTimelineRequest(last_event_id=last_event_id)
        async with contextlib.aclosing(self._stream(request, metadata=self._metadata)) as pieces:
            async for piece in pieces:
                yield piece.event_stream.data

    async def fanout_policy(self) -> FanoutPolicy:
        """The policy in force, for an operator."""
        request = pb.GetFanoutPolicyRequest()
        return (await self._get_policy(request, metadata=self._metadata)).policy

    async def update_fanout_policy(self, change: pb.UpdateFanoutPolicyRequest) -> FanoutPolicy:
        """Change what is given, as an operator; the policy after it."""
        return (await self._update_policy(change, metadata=self._metadata)).policy

    async def rebuild(self, user_id: int) -> int:
        """Build a user's home list anew, as an operator; how many entries it then has."""
        request = pb.RebuildHomeTimelineRequest(user_id=user_id)
        return (await self._rebuild(request, metadata=self._metadata)).entry_count
