"""`aviary.tweet.v1.TweetService`: requests to work, and work to replies."""

from collections.abc import AsyncIterator, Mapping, Sequence

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import FIRST
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError, PageTokenError
from services.chassis.events.log import NewEvent
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of
from services.chassis.snowflake import Snowflakes

from .callers import BodyCallers
from .domain import Kinds, Span
from .drafts import draft_of, latest_count
from .errors import TweetNotFoundError
from .ingesting import Ingester
from .listing import AuthorLists
from .messages import LATEST, TweetMessages, frames
from .posting import Poster
from .reading import TweetReader
from .store.cache import TweetCache
from .store.lists import ListStore, Stretch
from .store.posts import PostStore
from .store.reads import ANY_ID, ReadStore
from .visibility import TweetVisibility

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TweetService"]
MAX_IDS = 100
MAX_AUTHORS, MAX_ENTRIES = 10_000, 1_000
SCAN_ROWS = 1_000


class TweetServicer:
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""

    def __init__(
        self,
        *,
        callers: BodyCallers,
        poster: Poster,
        ingester: Ingester,
        reader: TweetReader,
        visibility: TweetVisibility,
        authors: AuthorLists,
        lists: ListStore,
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
        self._visibility = visibility
        self._authors = authors
        self._lists = lists
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

    async def get_tweet(self, request: pb.GetTweetRequest, call: Call) -> bytes:
        """Answer one tweet."""
        found = await self._read(call, [request.tweet_id])
        if not found:
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        return found[request.tweet_id]

    async def batch_get_tweets(self, request: pb.BatchGetTweetsRequest, call: Call) -> bytes:
        """Answer tweets in the order asked."""
        tweet_ids = list(dict.fromkeys(request.tweet_ids))
        _limit("tweet_ids", len(request.tweet_ids), MAX_IDS)
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
            tweet=Tweet.FromString(self._messages.serialize(row)),
        ).SerializeToString()
        event = NewEvent(self._snowflakes.next(), author_id, "TweetDeleted", payload)
        if not await self._posts.delete(author_id, tweet_id, event):
            raise TweetNotFoundError(tweet_id=tweet_id)
        if not barred:
            await self._cache.bar(tweet_id)
        return pb.DeleteTweetResponse()

    async def list_user_tweets(self, request: pb.ListUserTweetsRequest, call: Call) -> bytes:
        """Answer a page of one author's tweets; to the author, with what was posted just now."""
        kinds = Kinds(
            request.include_replies if request.HasField("include_replies") else True,
            request.include_retweets if request.HasField("include_retweets") else True,
            request.only_media,
        )
        shape = ("user_tweets", request.user_id, request.since_id, request.max_id, *kinds)
        span, complete_ms = _span(request, shape)
        own = call.caller.user_id == request.user_id
        page = await self._authors.page(request.user_id, span, kinds, complete_ms, newest=own)
        return self._page(page.stretch, page.complete_ms, shape)

    async def list_mentions(self, request: pb.ListMentionsRequest, _call: Call) -> bytes:
        """Answer a page of the tweets that mention a user."""
        shape = ("mentions", request.user_id, request.since_id, request.max_id)
        span, _ = _span(request, shape)
        return self._page(await self._lists.of_mentioned(request.user_id, span), 0, shape)

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

    async def scan_tweets(self, request: pb.ScanTweetsRequest, _call: Call) -> AsyncIterator[bytes]:
        """Stream every tweet, newest first."""
        before = request.before_tweet_id or ANY_ID
        while rows := await self._reads.before(before, SCAN_ROWS):
            yield frames(FIRST, [self._messages.serialize(row) for row in rows])
            before = rows[-1].tweet_id

    async def _latest(self, author_id: int, count: int) -> bytes:
        found = await self._lists.of_author(author_id, Span(ANY_ID, 0, count), Kinds())
        return frames(LATEST, [self._messages.serialize(row) for row in found.rows])

    async def _read(self, call: Call, tweet_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Those of the tweets that are there for the caller, in this order."""
        found = await self._reader.get_many(tweet_ids)
        asked = {tweet_id: found[tweet_id] for tweet_id in tweet_ids if tweet_id in found}
        return await self._visibility.shown(call, asked)

    def _page(self, stretch: Stretch, complete_ms: int, shape: tuple[object, ...]) -> bytes:
        """A page of tweets, in field 1, and its token, in field 2, as every list here has them."""
        page = frames(FIRST, [self._messages.serialize(row) for row in stretch.rows])
        if not stretch.reached:
            return page
        token = encode_page_token([stretch.reached, complete_ms], *shape)
        return page + pb.ListUserTweetsResponse(next_page_token=token).SerializeToString()


def _span(
    request: pb.ListUserTweetsRequest | pb.ListMentionsRequest, shape: tuple[object, ...]
) -> tuple[Span, int]:
    """What a request for a page asks for, and the instant in its token."""
    size = page_size_of(request.page_size)
    newest = min(request.max_id or ANY_ID, ANY_ID - 1) + 1
    position = decode_page_token(request.page_token, *shape)
    if not position:
        return Span(newest, request.since_id, size), 0
    if len(position) != 2 or min(position) < 0:
        raise PageTokenError
    return Span(min(newest, position[0]), request.since_id, size), position[1]


def _limit(field: str, count: int, maximum: int) -> None:
    if count > maximum:
        problem = f"holds {count} ids; at most {maximum} are allowed"
        raise InvalidFieldError(field=field, problem=problem)
