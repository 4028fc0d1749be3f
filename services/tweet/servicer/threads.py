"""Replies and conversations."""

from collections.abc import Mapping, Sequence
from operator import attrgetter

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.thread_pb2 import UnavailableReason, UnavailableTweet
from clients.wire import tag_of
from services.chassis.call import Call
from services.chassis.paging import cut_page, decode_key, encode_page_token, page_size_of

from ..errors import TweetNotFoundError
from ..messages import frames
from ..pages import TweetPages
from ..store.engaged import Listed
from ..store.threads import Node, ThreadStore
from ..targets import Targets

ANCESTORS = tag_of(5)
CONVERSATION = Surface.SURFACE_CONVERSATION


class ThreadMethods:
    """ListReplies, GetConversation."""

    def __init__(self, threads: ThreadStore, pages: TweetPages, targets: Targets) -> None:
        self._threads = threads
        self._pages = pages
        self._targets = targets

    async def list_replies(self, request: pb.ListRepliesRequest, call: Call) -> bytes:
        """A page of the direct replies to a tweet."""
        size, shape = page_size_of(request.page_size), ("replies", request.tweet_id)
        before = decode_key(request.page_token, *shape)
        await self._check(call, request.tweet_id)
        original = await self._targets.get(request.tweet_id)

        async def fetch(before: int, limit: int) -> list[Listed]:
            ids = await self._threads.replies(original.tweet_id, before, limit)
            return [Listed(tweet_id, tweet_id) for tweet_id in ids]

        page = await self._pages.fill(call, fetch, before, size, CONVERSATION)
        token = encode_page_token([page.reached], *shape) if page.reached else ""
        return await self._pages.present(call, page.tweets, token)

    async def get_conversation(self, request: pb.GetConversationRequest, call: Call) -> bytes:
        """A page of a tweet's thread, oldest first, with a place for everything."""
        size, shape = page_size_of(request.page_size), ("conversation", request.tweet_id)
        after = decode_key(request.page_token, *shape, first=0)
        await self._check(call, request.tweet_id)
        target = (await self._targets.current({request.tweet_id})).get(request.tweet_id)
        if target is None:
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        found = await self._threads.nodes(target.conversation_id, after, size + 1)
        nodes, token = cut_page(found, size, attrgetter("tweet_id"), *shape)
        path = [] if request.page_token else await self._threads.ancestors(target.tweet_id)
        everything = {node.tweet_id: node for node in (*path, *nodes)}
        there = [node.tweet_id for node in everything.values() if not node.gone]
        shown = await self._pages.shown(call, there, CONVERSATION)
        tweets, ancestors = _of(nodes, shown), _of(path, shown)
        rest = pb.GetConversationResponse(
            unavailable=[_place(n) for n in everything.values() if n.tweet_id not in shown]
        )
        page = await self._pages.present(call, tweets, token, around=ancestors)
        return page + frames(ANCESTORS, ancestors.values()) + rest.SerializeToString()

    async def _check(self, call: Call, tweet_id: int) -> None:
        if not await self._pages.shown(call, [tweet_id], Surface.SURFACE_TWEET):
            raise TweetNotFoundError(tweet_id=tweet_id)


def _of(nodes: Sequence[Node], shown: Mapping[int, bytes]) -> dict[int, bytes]:
    return {node.tweet_id: shown[node.tweet_id] for node in nodes if node.tweet_id in shown}


def _place(node: Node) -> UnavailableTweet:
    reason = (
        UnavailableReason.UNAVAILABLE_REASON_DELETED
        if node.gone
        else UnavailableReason.UNAVAILABLE_REASON_HIDDEN
    )
    return UnavailableTweet(
        tweet_id=node.tweet_id, in_reply_to_tweet_id=node.parent_id, reason=reason
    )
