"""The Tweet service as its peers see it. Tweets travel as bytes; who needs a field parses one."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import NamedTuple

from google.api.httpbody_pb2 import HttpBody

from aviary.tweet.v1 import media_pb2, tweet_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb

from .engagement import SERVICE, EngagementCalls
from .wire import tag_of, varint

MAX_BATCH = 100
"""Ids in one BatchGetTweets; more are asked for in parallel calls."""
_FRAME, _TWEET_ID, _USER_ID = 0x0A, 0x08, 0x10
"""Tags: a tweet within a reply (field 1), within a tweet its id and its author's (1 and 2)."""
RETWEETED_STATUS = tag_of(11)
"""Tag of the original within a retweet."""


class TweetPage(NamedTuple):
    """A page of a list: serialized `Tweet`s by id, newest first. It may be short, and not the end.

    The token is empty at the end, and bound to what shapes the list.
    """

    tweets: dict[int, bytes]
    next_page_token: str


class Original(NamedTuple):
    """What a retweet shows: the tweet and its author; 0 and 0 of what is no retweet."""

    tweet_id: int
    user_id: int


NO_RETWEET = Original(0, 0)


class TweetClient(EngagementCalls):
    """Calls to the Tweet service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("tweet", address, token=token)
        self._create = self.unary(f"{SERVICE}/CreateTweet", tweet_pb2.Tweet)
        self._get = self.unary(f"{SERVICE}/GetTweet", bytes)
        self._batch_get = self.unary(f"{SERVICE}/BatchGetTweets", bytes)
        self._delete = self.unary(f"{SERVICE}/DeleteTweet", pb.DeleteTweetResponse)
        self._list_ids = self.unary(
            f"{SERVICE}/BatchListUserTweetIds", pb.BatchListUserTweetIdsResponse
        )
        self._mentions = self.unary(f"{SERVICE}/ListMentions", bytes)
        self._recent = self.unary(f"{SERVICE}/ListRecentByAuthors", pb.ListRecentByAuthorsResponse)
        self._scan = self.server_stream(f"{SERVICE}/ScanTweets", pb.ScanTweetsResponse)
        self._create_media = self.client_stream(f"{SERVICE}/CreateMedia", pb.CreateMediaResponse)
        self._get_media = self.unary(f"{SERVICE}/GetMedia", pb.GetMediaResponse)
        self._content = self.server_stream(f"{SERVICE}/GetMediaContent", pb.GetMediaContentResponse)
        self._ingest = self.bidi_stream(f"{SERVICE}/IngestTweets", pb.IngestTweetsResponse)

    async def create(self, request: pb.CreateTweetRequest) -> tweet_pb2.Tweet:
        """Post a tweet."""
        return await self._create(request, metadata=self._metadata)

    async def get_raw(self, tweet_id: int) -> bytes:
        """A serialized `Tweet`; PeerError with the reason TWEET_NOT_FOUND where there is none."""
        return await self._get(pb.GetTweetRequest(tweet_id=tweet_id))

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        """Serialized `Tweet`s by id, in the order asked; those missing or deleted are left out."""
        ids = list(tweet_ids)
        chunks = [ids[start : start + MAX_BATCH] for start in range(0, len(ids), MAX_BATCH)]
        calls = [self._batch_get(pb.BatchGetTweetsRequest(tweet_ids=chunk)) for chunk in chunks]
        found: dict[int, bytes] = {}
        for raw in await asyncio.gather(*calls):
            found.update(split_tweets(raw)[0])
        return found

    async def delete(self, tweet_id: int) -> None:
        """Delete the caller's tweet."""
        await self._delete(pb.DeleteTweetRequest(tweet_id=tweet_id), metadata=self._metadata)

    async def list_user_tweet_ids(
        self, lists: Sequence[pb.ListUserTweetsRequest]
    ) -> Sequence[pb.TweetIdPage]:
        """Ids of pages of up to 64 users' tweets, in the order asked."""
        return (await self._list_ids(pb.BatchListUserTweetIdsRequest(lists=lists))).pages

    async def list_mentions(
        self,
        user_id: int,
        *,
        page_size: int = 0,
        page_token: str = "",
        since_id: int = 0,
        max_id: int = 0,
    ) -> TweetPage:
        """A page of the tweets that mention a user, newest first."""
        request = pb.ListMentionsRequest(
            user_id=user_id,
            page_size=page_size,
            page_token=page_token,
            since_id=since_id,
            max_id=max_id,
        )
        tweets, rest = split_tweets(await self._mentions(request))
        return TweetPage(tweets, pb.ListMentionsResponse.FromString(rest).next_page_token)

    async def recent_by_authors(
        self, author_ids: Sequence[int], limit: int, max_id: int = 0, since_id: int = 0
    ) -> bytes:
        """The newest timeline entries (17 bytes each, newest first) over all these authors."""
        request = pb.ListRecentByAuthorsRequest(
            user_ids=author_ids, limit=limit, since_id=since_id, max_id=max_id
        )
        return (await self._recent(request)).entries

    async def scan(self, before_tweet_id: int = 0) -> AsyncGenerator[list[tweet_pb2.Tweet], None]:
        """Every tweet with a smaller id (0: any), newest first, a batch at a time."""
        request = pb.ScanTweetsRequest(before_tweet_id=before_tweet_id)
        async with contextlib.aclosing(self._scan(request)) as replies:
            async for reply in replies:
                yield list(reply.tweets)

    async def upload(self, pieces: AsyncIterator[bytes], *, alt_text: str = "") -> media_pb2.Media:
        """Upload a photo or a video, in pieces of at most some megabytes."""

        async def requests() -> AsyncIterator[pb.CreateMediaRequest]:
            yield pb.CreateMediaRequest(alt_text=alt_text)
            async for piece in pieces:
                yield pb.CreateMediaRequest(body=HttpBody(data=piece))

        return (await self._create_media(requests(), metadata=self._metadata)).media

    async def media(self, media_id: int) -> media_pb2.Media:
        """What is known of a medium."""
        request = pb.GetMediaRequest(media_id=media_id)
        return (await self._get_media(request, metadata=self._metadata)).media

    async def content(self, key: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a medium or thumbnail: `key` is the last part of its `url`."""
        request = pb.GetMediaContentRequest(key=key)
        async with contextlib.aclosing(self._content(request)) as replies:
            async for reply in replies:
                yield reply.content.data

    async def ingest(
        self, batches: AsyncIterator[pb.IngestTweetsRequest]
    ) -> AsyncIterator[Sequence[int]]:
        """Import batches; each batch's ids, in its order, come when they are durable."""
        async for reply in self._ingest(batches):
            yield reply.tweet_ids


def split_tweets(raw: bytes) -> tuple[dict[int, bytes], bytes]:
    """Leading field-1 frames of a reply as serialized `Tweet`s by id, and the bytes behind them."""
    tweets: dict[int, bytes] = {}
    at, end = 0, len(raw)
    while at < end and raw[at] == _FRAME:
        length, start = varint(raw, at + 1)
        at = start + length
        tweet = raw[start:at]
        tweets[tweet_id_of(tweet)] = tweet
    return tweets, raw[at:]


def tweet_id_of(tweet: bytes) -> int:
    """The id of a serialized `Tweet`; it is the first field."""
    return varint(tweet, 1)[0] if tweet and tweet[0] == _TWEET_ID else 0


def author_id_of(tweet: bytes) -> int:
    """The author of a serialized `Tweet`: the field behind its id."""
    if not tweet or tweet[0] != _TWEET_ID:
        return 0
    at = varint(tweet, 1)[1]
    return varint(tweet, at + 1)[0] if at < len(tweet) and tweet[at] == _USER_ID else 0


def original_of(tweet: bytes) -> Original:
    """What a serialized `Tweet` shows if it is a retweet."""
    # Only what holds the tag can be a retweet: others need no parsing.
    if RETWEETED_STATUS not in tweet:
        return NO_RETWEET
    original = tweet_pb2.Tweet.FromString(tweet).retweeted_status
    return Original(original.tweet_id, original.user_id)
