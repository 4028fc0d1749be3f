"""The Tweet service's lists in memory."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from aviary.tweet.v1.tweet_pb2 import Tweet
from aviary.tweet.v1.tweet_service_pb2 import ListUserTweetsRequest, TweetIdPage
from services.chassis.errors import PageTokenError
from services.chassis.paging import decode_page_token, encode_page_token
from services.timeline import domain


class Page(NamedTuple):
    tweets: dict[int, bytes]
    next_page_token: str


class Listed:
    """Tweets, and lists of them; counts the calls; `pause` makes each slow."""

    def __init__(self) -> None:
        self.tweets: dict[int, Tweet] = {}
        self.calls: Counter[str] = Counter()
        self.pause = 0.0
        self.first_pages_empty = False
        """Whether first pages of authors find nothing, though there is more."""

    async def list_user_tweet_ids(
        self, lists: Sequence[ListUserTweetsRequest]
    ) -> Sequence[TweetIdPage]:
        await self._called("list")
        return [self._id_page(one) for one in lists]

    def _id_page(self, request: ListUserTweetsRequest) -> TweetIdPage:
        kinds = (request.include_replies, request.include_retweets, request.only_media)
        ids = [
            tweet.tweet_id
            for tweet in self.tweets.values()
            if tweet.user_id == request.user_id
            and (request.include_replies or not tweet.in_reply_to_tweet_id)
            and (request.include_retweets or not tweet.HasField("retweeted_status"))
            and (not request.only_media or tweet.media)
        ]
        call = ("user_tweets", request.user_id, request.since_id, request.max_id, *kinds)
        try:
            page = self._page(ids, request.page_size, request.page_token, call)
        except PageTokenError:
            return TweetIdPage(page_token_invalid=True)
        ids = [] if self.first_pages_empty and not request.page_token else list(page.tweets)
        return TweetIdPage(tweet_ids=ids, next_page_token=page.next_page_token)

    async def list_mentions(
        self,
        user_id: int,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
    ) -> Page:
        await self._called("mentions")
        ids = [
            tweet.tweet_id
            for tweet in self.tweets.values()
            if any(mention.user_id == user_id for mention in tweet.entities.user_mentions)
        ]
        return self._page(ids, page_size, page_token, ("mentions", user_id, since_id, max_id))

    def _page(self, ids: list[int], size: int, token: str, call: tuple[Any, ...]) -> Page:
        since_id, max_id = call[2:4]
        (before,) = decode_page_token(token, *call) or (domain.NOTHING_PROVEN,)
        found = sorted(
            (i for i in ids if since_id < i < before and (not max_id or i <= max_id)),
            reverse=True,
        )
        shown = {i: self.tweets[i].SerializeToString() for i in found[:size]}
        more = encode_page_token(found[size - 1 : size], *call) if len(found) > size else ""
        return Page(shown, more)

    async def _called(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(self.pause)
