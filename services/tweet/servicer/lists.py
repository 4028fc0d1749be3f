"""Lists of tweets: by author, by whom they mention, over many authors, all."""

from collections.abc import AsyncIterator, Mapping

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.wire import FIRST
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError, PageTokenError
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of

from ..domain import Kinds, Span
from ..listing import Asked, AuthorLists
from ..messages import TweetMessages, frames
from ..reading import TweetReader
from ..store.author_ids import Query
from ..store.mention_lists import MentionLists
from ..store.reads import ANY_ID, ReadStore
from .limits import check_count

MAX_AUTHORS, MAX_ENTRIES, MAX_LISTS = 10_000, 1_000, 64
SCAN_ROWS = 1_000


class ListMethods:
    """ListUserTweets, BatchListUserTweetIds, ListMentions, ListRecentByAuthors, ScanTweets."""

    def __init__(
        self,
        authors: AuthorLists,
        mentioned: MentionLists,
        reads: ReadStore,
        reader: TweetReader,
        messages: TweetMessages,
    ) -> None:
        self._authors = authors
        self._reader = reader
        self._mentioned = mentioned
        self._reads = reads
        self._messages = messages

    async def list_user_tweets(self, request: pb.ListUserTweetsRequest, call: Call) -> bytes:
        """Answer a page of one author's tweets; to the author, with what was posted just now."""
        kinds = _kinds(request)
        shape = _author_shape(request, kinds)
        span, complete_ms = _span(request, shape)
        newest = request.newest or call.caller.user_id == request.user_id
        asked = Asked(Query(request.user_id, span, kinds), complete_ms, newest)
        (page,) = await self._authors.ids([asked])
        tweets = await self._reader.get_many(page.stretch.tweet_ids)
        return _page(tweets, page.stretch.reached, page.complete_ms, shape)

    async def batch_list_user_tweet_ids(
        self, request: pb.BatchListUserTweetIdsRequest, _call: Call
    ) -> pb.BatchListUserTweetIdsResponse:
        """Answer pages of ids, many authors' at a time."""
        check_count("lists", len(request.lists), MAX_LISTS)
        shapes = [_author_shape(one, _kinds(one)) for one in request.lists]
        asked = [_asked(one, shape) for one, shape in zip(request.lists, shapes, strict=True)]
        found = iter(await self._authors.ids([one for one in asked if one is not None]))
        reply = pb.BatchListUserTweetIdsResponse()
        for one, shape in zip(asked, shapes, strict=True):
            if one is None:
                reply.pages.add(page_token_invalid=True)
                continue
            stretch, complete_ms = next(found)
            page = reply.pages.add(tweet_ids=stretch.tweet_ids)
            if stretch.reached:
                page.next_page_token = encode_page_token([stretch.reached, complete_ms], *shape)
        return reply

    async def list_mentions(self, request: pb.ListMentionsRequest, _call: Call) -> bytes:
        """Answer a page of the tweets that mention a user."""
        shape = ("mentions", request.user_id, request.since_id, request.max_id)
        span, _ = _span(request, shape)
        stretch = await self._mentioned.page(request.user_id, span)
        tweets = {row.tweet_id: self._messages.serialize(row) for row in stretch.rows}
        return _page(await self._reader.whole(tweets), stretch.reached, 0, shape)

    async def list_recent_by_authors(
        self, request: pb.ListRecentByAuthorsRequest, _call: Call
    ) -> pb.ListRecentByAuthorsResponse:
        """Answer the newest entries over many authors."""
        check_count("user_ids", len(request.user_ids), MAX_AUTHORS)
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


def _page(
    tweets: Mapping[int, bytes], reached: int, complete_ms: int, shape: tuple[object, ...]
) -> bytes:
    """A page of tweets, in field 1, and its token, in field 2, as every list here has them."""
    page = frames(FIRST, tweets.values())
    if not reached:
        return page
    token = encode_page_token([reached, complete_ms], *shape)
    return page + pb.ListUserTweetsResponse(next_page_token=token).SerializeToString()


def _kinds(request: pb.ListUserTweetsRequest) -> Kinds:
    return Kinds(
        request.include_replies if request.HasField("include_replies") else True,
        request.include_retweets if request.HasField("include_retweets") else True,
        request.only_media,
    )


def _author_shape(request: pb.ListUserTweetsRequest, kinds: Kinds) -> tuple[object, ...]:
    return ("user_tweets", request.user_id, request.since_id, request.max_id, *kinds)


def _asked(request: pb.ListUserTweetsRequest, shape: tuple[object, ...]) -> Asked | None:
    """What one request of a batch asks for; None where its token is none of this list."""
    try:
        span, complete_ms = _span(request, shape)
    except PageTokenError:
        return None
    return Asked(Query(request.user_id, span, _kinds(request)), complete_ms, request.newest)


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
