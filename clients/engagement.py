"""What people do with tweets, as the Tweet service's callers see it; whoever calls acts."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from aviary.tweet.v1 import thread_pb2, tweet_pb2, viewer_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb

from .channel import Peer, bearer

Tweet: TypeAlias = tweet_pb2.Tweet
Viewer: TypeAlias = viewer_pb2.Viewer
UnavailableTweet: TypeAlias = thread_pb2.UnavailableTweet
MAX_TWEETS, MAX_USERS = 100, 256
"""Of one call; more are asked for in parallel calls."""
SERVICE = "/aviary.tweet.v1.TweetService"


class EngagementCalls(Peer):
    """The part of the Tweet service that is about who does what with a tweet."""

    def __init__(self, name: str, address: str, *, token: str = "") -> None:
        super().__init__(name, address)
        self._metadata = bearer(token)
        self._favorite = self.unary(f"{SERVICE}/FavoriteTweet", pb.FavoriteTweetResponse)
        self._unfavorite = self.unary(f"{SERVICE}/UnfavoriteTweet", pb.UnfavoriteTweetResponse)
        self._retweet = self.unary(f"{SERVICE}/Retweet", pb.RetweetResponse)
        self._unretweet = self.unary(f"{SERVICE}/Unretweet", pb.UnretweetResponse)
        self._untag = self.unary(f"{SERVICE}/RemoveMediaTag", pb.RemoveMediaTagResponse)
        self._conversation = self.unary(f"{SERVICE}/GetConversation", pb.GetConversationResponse)
        self._get_viewer = self.unary(f"{SERVICE}/GetViewer", pb.GetViewerResponse)
        self._viewers = self.unary(f"{SERVICE}/BatchGetViewers", pb.BatchGetViewersResponse)
        self._record = self.unary(f"{SERVICE}/RecordDeletions", pb.RecordDeletionsResponse)

    async def favorite(self, tweet_id: int) -> int:
        """Favourite a tweet; how many do now."""
        request = pb.FavoriteTweetRequest(tweet_id=tweet_id)
        return (await self._favorite(request, metadata=self._metadata)).favorite_count

    async def unfavorite(self, tweet_id: int) -> int:
        """Favourite a tweet no longer; how many do now."""
        request = pb.UnfavoriteTweetRequest(tweet_id=tweet_id)
        return (await self._unfavorite(request, metadata=self._metadata)).favorite_count

    async def retweet(self, tweet_id: int) -> Tweet:
        """Retweet a tweet; the retweet."""
        request = pb.RetweetRequest(tweet_id=tweet_id)
        return (await self._retweet(request, metadata=self._metadata)).tweet

    async def unretweet(self, tweet_id: int) -> None:
        """Take the caller's retweet of a tweet back."""
        await self._unretweet(pb.UnretweetRequest(tweet_id=tweet_id), metadata=self._metadata)

    async def remove_media_tag(self, tweet_id: int) -> None:
        """Take the caller's tag off a tweet's photos."""
        request = pb.RemoveMediaTagRequest(tweet_id=tweet_id)
        await self._untag(request, metadata=self._metadata)

    async def conversation(
        self, tweet_id: int, *, page_size: int = 0, page_token: str = ""
    ) -> pb.GetConversationResponse:
        """A page of the thread that a tweet belongs to, oldest first."""
        request = pb.GetConversationRequest(
            tweet_id=tweet_id, page_size=page_size, page_token=page_token
        )
        return await self._conversation(request, metadata=self._metadata)

    async def get_viewer(self, user_id: int, tweet_ids: Sequence[int]) -> Viewer:
        """What a user did to some tweets; any number of them."""
        requests = [
            pb.GetViewerRequest(user_id=user_id, tweet_ids=tweet_ids[start : start + MAX_TWEETS])
            for start in range(0, len(tweet_ids), MAX_TWEETS)
        ]
        found = Viewer()
        for reply in await asyncio.gather(*map(self._get_viewer, requests)):
            found.MergeFrom(reply.viewer)
        return found

    async def batch_get_viewers(
        self, user_ids: Iterable[int]
    ) -> dict[int, viewer_pb2.RecentViewer]:
        """The newest favourites and retweets of each of these users; any number of them."""
        ids = list(user_ids)
        requests = [
            pb.BatchGetViewersRequest(user_ids=ids[start : start + MAX_USERS])
            for start in range(0, len(ids), MAX_USERS)
        ]
        replies = await asyncio.gather(*map(self._viewers, requests))
        return {recent.user_id: recent for reply in replies for recent in reply.viewers}

    async def record_deletions(self, store: str, tweet_ids: Iterable[int]) -> None:
        """Say that a store is rid of deleted tweets."""
        await self._record(pb.RecordDeletionsRequest(store=store, tweet_ids=tweet_ids))
