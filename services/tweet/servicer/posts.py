"""Tweets one by one: posting, importing, reading, deleting."""

from collections.abc import AsyncIterator, Mapping, Sequence

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import FIRST
from services.chassis.call import Call
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from ..callers import BodyCallers
from ..domain import Kinds, Span
from ..drafts import draft_of, latest_count
from ..errors import TweetNotFoundError
from ..ingesting import Ingester
from ..media.sweeping import Sweeper
from ..messages import LATEST, TweetMessages, frames
from ..posting import Poster
from ..reading import TweetReader
from ..store.cache import TweetCache
from ..store.lists import ListStore
from ..store.posts import PostStore
from ..store.reads import ANY_ID
from ..visibility import TweetVisibility
from .limits import check_count

MAX_IDS = 100


class PostMethods:
    """CreateTweet, IngestTweets, GetTweet, BatchGetTweets, DeleteTweet."""

    def __init__(
        self,
        *,
        callers: BodyCallers,
        poster: Poster,
        ingester: Ingester,
        reader: TweetReader,
        visibility: TweetVisibility,
        lists: ListStore,
        posts: PostStore,
        cache: TweetCache,
        messages: TweetMessages,
        snowflakes: Snowflakes,
        sweeper: Sweeper,
    ) -> None:
        self._callers = callers
        self._poster = poster
        self._ingester = ingester
        self._reader = reader
        self._visibility = visibility
        self._latest_lists = lists
        self._posts = posts
        self._cache = cache
        self._post_messages = messages
        self._snowflakes = snowflakes
        self._sweeper = sweeper

    async def create_tweet(self, request: pb.CreateTweetRequest, call: Call) -> bytes:
        """Post a tweet."""
        await self._callers.identify(call, token=request.auth_token, dev_key=request.api_dev_key)
        author_id = call.own_user_id(request.user_id)
        request_id = call.idempotency_key(request.request_id)
        latest = latest_count(request)
        tweet_id, tweet = await self._poster.post(author_id, draft_of(request), request_id)
        call.initial.append((b"location", self._post_messages.url(tweet_id).encode()))
        return tweet + await self._latest(author_id, latest) if latest else tweet

    async def ingest_tweets(
        self, requests: AsyncIterator[pb.IngestTweetsRequest], call: Call
    ) -> AsyncIterator[pb.IngestTweetsResponse]:
        """Import batches, each durable when it is answered."""
        async for request in requests:
            request_id = request.request_id and call.idempotency_key(request.request_id)
            tweet_ids = await self._ingester.ingest(request, request_id)
            yield pb.IngestTweetsResponse(tweet_ids=tweet_ids)

    async def get_tweet(self, request: pb.GetTweetRequest, call: Call) -> bytes:
        """Answer one tweet."""
        found = await self._read(call, [request.tweet_id])
        if not found:
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        return found[request.tweet_id]

    async def batch_get_tweets(self, request: pb.BatchGetTweetsRequest, call: Call) -> bytes:
        """Answer tweets in the order asked."""
        tweet_ids = list(dict.fromkeys(request.tweet_ids))
        check_count("tweet_ids", len(request.tweet_ids), MAX_IDS)
        found = await self._read(call, tweet_ids) if tweet_ids else {}
        return frames(FIRST, found.values())

    async def delete_tweet(
        self, request: pb.DeleteTweetRequest, call: Call
    ) -> pb.DeleteTweetResponse:
        """Delete the caller's tweet.

        Its cache key is barred before the commit, so that neither a crash in between nor a fill
        under way can leave it readable.
        """
        author_id, tweet_id = call.require_caller(), request.tweet_id
        row = await self._posts.own(author_id, tweet_id)
        if row is None:
            raise TweetNotFoundError(tweet_id=tweet_id)
        barred = await self._cache.bar(tweet_id)
        payload = payload_pb2.TweetDeleted(
            tweet_id=tweet_id,
            user_id=author_id,
            in_reply_to_tweet_id=row.in_reply_to_tweet_id,
            tweet=Tweet.FromString(self._post_messages.serialize(row)),
        ).SerializeToString()
        event = NewEvent(self._snowflakes.next(), author_id, "TweetDeleted", payload)
        if not await self._posts.delete(author_id, tweet_id, event):
            raise TweetNotFoundError(tweet_id=tweet_id)
        if not barred:
            await self._cache.bar(tweet_id)
        if row.media:
            self._sweeper.wake()
        return pb.DeleteTweetResponse()

    async def _latest(self, author_id: int, count: int) -> bytes:
        found = await self._latest_lists.of_author(author_id, Span(ANY_ID, 0, count), Kinds())
        return frames(LATEST, [self._post_messages.serialize(row) for row in found.rows])

    async def _read(self, call: Call, tweet_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Those of the tweets that are there for the caller, in this order."""
        found = await self._reader.get_many(tweet_ids)
        asked = {tweet_id: found[tweet_id] for tweet_id in tweet_ids if tweet_id in found}
        return await self._visibility.shown(call, asked)
