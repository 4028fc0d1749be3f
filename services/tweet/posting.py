"""Posting: drafts become rows, and everything that waits is committed in one transaction."""

import hashlib
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Histogram

from clients.context import traceparent
from clients.wire import FIRST, frame
from services.chassis.batching import Batcher
from services.chassis.snowflake import Snowflakes

from .domain import QUOTE, REPLY, SENSITIVE, Target, TweetRow
from .drafts import Draft
from .errors import (
    BlockedError,
    MediaNotFoundError,
    QuoteTargetNotFoundError,
    ReplyTargetNotFoundError,
    TaggedUserNotFoundError,
)
from .media.attaching import MediaFinder
from .media.messages import with_media
from .mentions import MentionResolver
from .messages import TweetMessages, entities_bytes, mentioned, with_tags
from .store.cache import TweetCache
from .store.posts import NewPost, PostStore
from .tagging import Tagger
from .targets import Targets
from .visibility import TweetVisibility

MAX_BATCH, MAX_WAITING = 256, 2_000
NO_TARGET = Target(0, 0, 0)
OUT_OF_REACH = (
    ReplyTargetNotFoundError,
    QuoteTargetNotFoundError,
    BlockedError,
    MediaNotFoundError,
    TaggedUserNotFoundError,
)
NOWHERE: tuple[None, None] = (None, None)


class Poster:
    """Group commit: one batch is being written while the next one gathers."""

    def __init__(
        self,
        posts: PostStore,
        targets: Targets,
        cache: TweetCache,
        mentions: MentionResolver,
        visibility: TweetVisibility,
        media: MediaFinder,
        tagger: Tagger,
        messages: TweetMessages,
        snowflakes: Snowflakes,
        registry: CollectorRegistry,
    ) -> None:
        self._posts = posts
        self._cache = cache
        self._mentions = mentions
        self._visibility = visibility
        self._media = media
        self._tagger = tagger
        self._messages = messages
        self._snowflakes = snowflakes
        self._targets = targets
        self._batcher: Batcher[NewPost, TweetRow] = Batcher(
            "tweet commit", self._commit, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )
        self._sizes = Histogram(
            "aviary_tweet_commit_batch_tweets",
            "Tweets written in one transaction",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )

    async def post(self, author_id: int, draft: Draft, request_id: str) -> tuple[int, bytes]:
        """Post a draft: the tweet's id and message, an earlier one's where the key was used."""
        body_hash = _hash(draft) if request_id else b""
        try:
            reply, quote = await self._find_targets(author_id, draft)
            media = await self._media.find(author_id, draft.media_ids)
            tagged = await self._tagger.find(author_id, draft.media_tags, media)
        except OUT_OF_REACH:
            # What is out of reach since must not change the answer to a repeated call.
            earlier = request_id and await self._posts.earlier(author_id, request_id, body_hash)
            if not earlier:
                raise
            return earlier.tweet_id, self._messages.serialize(earlier)
        names = [mention.name for mention in draft.found.mentions]
        user_ids = await self._mentions.resolve(names, author_id) if names else {}
        entities = entities_bytes(draft.found, user_ids)
        row = row_of(self._snowflakes.next(), author_id, draft, entities, reply, quote)
        if media:
            row = with_media(row, media)
        if tagged:
            row = with_tags(row, tagged)
        tweet = self._messages.serialize(row)
        await self._cache.recount((reply.tweet_id, quote.tweet_id))
        stored = await self._batcher.submit(
            NewPost(
                row,
                tweet,
                frame(FIRST, tweet),
                request_id,
                body_hash,
                mentioned(user_ids, tagged),
                draft.media_ids,
                traceparent(),
            )
        )
        return stored.tweet_id, tweet if stored is row else self._messages.serialize(stored)

    async def close(self) -> None:
        """Wait for the commit under way."""
        await self._batcher.close()

    async def _find_targets(self, author_id: int, draft: Draft) -> tuple[Target, Target]:
        reply_id, quote_id = draft.in_reply_to_tweet_id, draft.quote_tweet_id
        if not (reply_id or quote_id):
            return NO_TARGET, NO_TARGET
        found = await self._targets.current({reply_id, quote_id} - {0})
        if reply_id and reply_id not in found:
            raise ReplyTargetNotFoundError(field="in_reply_to_tweet_id", tweet_id=reply_id)
        if quote_id and quote_id not in found:
            raise QuoteTargetNotFoundError(field="quote_tweet_id", tweet_id=quote_id)
        reply, quote = found.get(reply_id, NO_TARGET), found.get(quote_id, NO_TARGET)
        await self._visibility.check_targets(author_id, reply, quote)
        return reply, quote

    async def _commit(self, posts: list[NewPost]) -> Sequence[TweetRow | Exception]:
        self._sizes.observe(len(posts))
        results = await self._posts.commit(posts)
        self._cache.fill(
            {
                post.row.tweet_id: post.tweet
                for post, result in zip(posts, results, strict=True)
                if result is post.row
            }
        )
        return results


def row_of(
    tweet_id: int, author_id: int, draft: Draft, entities: bytes, reply: Target, quote: Target
) -> TweetRow:
    """What is kept of a draft that became a tweet."""
    flags = SENSITIVE if draft.sensitive else 0
    if reply.tweet_id:
        flags |= REPLY
    if quote.tweet_id:
        flags |= QUOTE
    longitude, latitude = draft.place or NOWHERE
    author_longitude, author_latitude = draft.author_place or NOWHERE
    return TweetRow(
        tweet_id,
        author_id,
        draft.status,
        entities,
        reply.tweet_id,
        reply.author_id,
        quote.tweet_id,
        quote.author_id,
        reply.conversation_id or tweet_id,
        longitude,
        latitude,
        author_longitude,
        author_latitude,
        flags,
    )


def _hash(draft: Draft) -> bytes:
    """Fingerprint of what was asked for; the token and the names of aliases are not in it."""
    return hashlib.blake2b(repr(draft).encode(), digest_size=16).digest()
