"""Tweets one by one: posting, importing, reading, deleting."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.wire import FIRST
from services.chassis.call import EDGE, Call

from ..callers import BodyCallers
from ..deleting import Deleter
from ..domain import Kinds, Span
from ..drafts import draft_of, latest_count
from ..errors import TweetNotFoundError
from ..ingesting import Ingester
from ..listing import Asked, AuthorLists
from ..messages import LATEST, TweetMessages, frames
from ..posting import Poster
from ..reading import TweetReader
from ..store.author_ids import Query
from ..store.posts import PostStore
from ..store.reads import ANY_ID
from ..visibility import TweetVisibility
from .limits import check_count

MAX_IDS = 100
PUBLIC_SECONDS = 1
"""How long a shared cache may keep a tweet: counts follow within a second, and so do deletions."""


class PostMethods:
    """CreateTweet, IngestTweets, GetTweet, BatchGetTweets, DeleteTweet, EraseLocations."""

    def __init__(
        self,
        callers: BodyCallers,
        poster: Poster,
        ingester: Ingester,
        reader: TweetReader,
        visibility: TweetVisibility,
        posts: PostStore,
        authors: AuthorLists,
        deleter: Deleter,
        messages: TweetMessages,
        status_length: int,
    ) -> None:
        self._posts = posts
        self._status_length = status_length
        self._callers = callers
        self._poster = poster
        self._ingester = ingester
        self._reader = reader
        self._visibility = visibility
        self._authors = authors
        self._deleter = deleter
        self._messages = messages

    async def create_tweet(self, request: pb.CreateTweetRequest, call: Call) -> bytes:
        """Post a tweet."""
        await self._callers.identify(call, token=request.auth_token, dev_key=request.api_dev_key)
        author_id = call.own_user_id(request.user_id)
        request_id = call.idempotency_key(request.request_id)
        latest = latest_count(request)
        draft = draft_of(request, self._status_length)
        tweet_id, tweet = await self._poster.post(author_id, draft, request_id)
        call.initial.append((b"location", self._messages.url(tweet_id).encode()))
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
        tweet = found[request.tweet_id]
        if EDGE in call.headers:
            call.initial += _caching(call, request.tweet_id, tweet)
        return tweet

    async def batch_get_tweets(self, request: pb.BatchGetTweetsRequest, call: Call) -> bytes:
        """Answer tweets in the order asked."""
        tweet_ids = list(dict.fromkeys(request.tweet_ids))
        check_count("tweet_ids", len(request.tweet_ids), MAX_IDS)
        found = await self._read(call, tweet_ids) if tweet_ids else {}
        return frames(FIRST, found.values())

    async def delete_tweet(
        self, request: pb.DeleteTweetRequest, call: Call
    ) -> pb.DeleteTweetResponse:
        """Delete the caller's tweet."""
        await self._deleter.delete(call.require_caller(), request.tweet_id)
        return pb.DeleteTweetResponse()

    async def erase_locations(
        self, request: pb.EraseLocationsRequest, call: Call
    ) -> pb.EraseLocationsResponse:
        """Forget where the caller was."""
        erased = await self._posts.erase_locations(call.own_user_id(request.user_id))
        return pb.EraseLocationsResponse(erased_count=erased)

    async def _latest(self, author_id: int, count: int) -> bytes:
        query = Query(author_id, Span(ANY_ID, 0, count), Kinds())
        (page,) = await self._authors.ids([Asked(query, 0, newest=True)])
        return frames(LATEST, (await self._reader.get_many(page.stretch.tweet_ids)).values())

    async def _read(self, call: Call, tweet_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Those of the tweets that are there for the caller, in this order."""
        return await self._visibility.shown(call, await self._reader.get_many(tweet_ids))


def _caching(call: Call, tweet_id: int, tweet: bytes) -> list[tuple[bytes, bytes]]:
    """Headers for caches on the way: only what anybody may see is for everybody."""
    scope = b"private, no-cache" if call.caller.user_id else b"public, max-age=%d" % PUBLIC_SECONDS
    return [
        (b"cache-control", scope),
        (b"vary", b"authorization"),
        (b"etag", b'"%b"' % hashlib.blake2b(tweet, digest_size=8).hexdigest().encode()),
        (b"surrogate-key", b"tweet-%d" % tweet_id),
    ]
