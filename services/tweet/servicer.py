"""`aviary.tweet.v1.TweetService`: requests to work, and work to replies."""

from collections.abc import AsyncIterator

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.wire import FIRST
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.events.log import NewEvent
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of
from services.chassis.snowflake import Snowflakes

from .callers import BodyCallers
from .drafts import draft_of, latest_count
from .errors import TweetNotFoundError
from .ingesting import Ingester
from .messages import LATEST, TweetMessages, frames
from .posting import Poster
from .reading import TweetReader
from .store.cache import TweetCache
from .store.posts import PostStore
from .store.reads import ANY_ID, ReadStore

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TweetService"]
MAX_IDS = 100
MAX_AUTHORS, MAX_ENTRIES = 10_000, 1_000


class TweetServicer:
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""

    def __init__(
        self,
        *,
        callers: BodyCallers,
        poster: Poster,
        ingester: Ingester,
        reader: TweetReader,
        posts: PostStore,
        reads: ReadStore,
        cache: TweetCache,
        messages: TweetMessages,
        snowflakes: Snowflakes,
    ) -> None:
        self._callers = callers
        self._poster = poster
        self._ingester = ingester
        self._reader = reader
        self._posts = posts
        self._reads = reads
        self._cache = cache
        self._messages = messages
        self._snowflakes = snowflakes

    async def create_tweet(self, request: pb.CreateTweetRequest, call: Call) -> bytes:
        """Post a tweet."""
        await self._callers.identify(call, token=request.auth_token, dev_key=request.api_dev_key)
        author_id = call.own_user_id(request.user_id)
        request_id = call.idempotency_key(request.request_id)
        latest = latest_count(request)
        tweet_id, tweet = await self._poster.post(author_id, draft_of(request), request_id)
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

    async def get_tweet(self, request: pb.GetTweetRequest, _call: Call) -> bytes:
        """Answer one tweet."""
        found = await self._reader.get_many([request.tweet_id])
        tweet = found.get(request.tweet_id)
        if tweet is None:
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        return tweet

    async def batch_get_tweets(self, request: pb.BatchGetTweetsRequest, _call: Call) -> bytes:
        """Answer tweets in the order asked."""
        tweet_ids = list(dict.fromkeys(request.tweet_ids))
        _limit("tweet_ids", len(request.tweet_ids), MAX_IDS)
        found = await self._reader.get_many(tweet_ids) if tweet_ids else {}
        return frames(FIRST, [found[tweet_id] for tweet_id in tweet_ids if tweet_id in found])

    async def delete_tweet(
        self, request: pb.DeleteTweetRequest, call: Call
    ) -> pb.DeleteTweetResponse:
        """Delete the caller's tweet.

        Its cache key is barred before the commit, so that neither a crash in between nor a fill
        under way can leave it readable.
        """
        author_id, tweet_id = call.require_caller(), request.tweet_id
        answered = await self._posts.answered_by(author_id, tweet_id)
        if answered is None:
            raise TweetNotFoundError(tweet_id=tweet_id)
        barred = await self._cache.bar(tweet_id)
        payload = payload_pb2.TweetDeleted(
            tweet_id=tweet_id, user_id=author_id, in_reply_to_tweet_id=answered
        ).SerializeToString()
        event = NewEvent(self._snowflakes.next(), author_id, "TweetDeleted", payload)
        if not await self._posts.delete(author_id, tweet_id, event):
            raise TweetNotFoundError(tweet_id=tweet_id)
        if not barred:
            await self._cache.bar(tweet_id)
        return pb.DeleteTweetResponse()

    async def list_user_tweets(self, request: pb.ListUserTweetsRequest, _call: Call) -> bytes:
        """Answer a page of one author's tweets."""
        size = page_size_of(request.page_size)
        replies = request.include_replies if request.HasField("include_replies") else True
        call = ("user_tweets", request.user_id, request.since_id, request.max_id, replies)
        position = decode_page_token(request.page_token, *call)
        newest = min(request.max_id or ANY_ID, ANY_ID - 1) + 1
        rows = await self._reads.by_author(
            request.user_id,
            before=min(newest, position[0]) if position else newest,
            since=request.since_id,
            replies=replies,
            limit=size + 1,
        )
        page = frames(FIRST, [self._messages.serialize(row) for row in rows[:size]])
        if len(rows) <= size:
            return page
        token = encode_page_token([rows[size - 1].tweet_id], *call)
        rest = pb.ListUserTweetsResponse(next_page_token=token)
        return page + rest.SerializeToString()

    async def list_recent_by_authors(
        self, request: pb.ListRecentByAuthorsRequest, _call: Call
    ) -> pb.ListRecentByAuthorsResponse:
        """Answer the newest entries over many authors."""
        _limit("user_ids", len(request.user_ids), MAX_AUTHORS)
        if request.limit < 0:
            raise InvalidFieldError(field="limit", problem="must be 0 (for the default) or more")
        entries = await self._reads.recent(
            request.user_ids,
            since_id=request.since_id,
            max_id=request.max_id,
            limit=min(request.limit or MAX_ENTRIES, MAX_ENTRIES),
        )
        return pb.ListRecentByAuthorsResponse(entries=entries)

    async def _latest(self, author_id: int, count: int) -> bytes:
        rows = await self._reads.by_author(
            author_id, before=ANY_ID, since=0, replies=True, limit=count
        )
        return frames(LATEST, [self._messages.serialize(row) for row in rows])


def _limit(field: str, count: int, maximum: int) -> None:
    if count > maximum:
        problem = f"holds {count} ids; at most {maximum} are allowed"
        raise InvalidFieldError(field=field, problem=problem)
