"""Importing in bulk: a batch is one transaction, its ids are minted for the tweets' own times."""

import hashlib
import secrets
import time
from collections.abc import Sequence

import psycopg

from aviary.tweet.v1 import tweet_service_pb2 as pb
from clients.context import traceparent
from clients.wire import FIRST, frame
from services.chassis.errors import InvalidFieldError
from services.chassis.snowflake import EPOCH_MS, Snowflakes, id_at

from .domain import BACKFILLED, Target, TweetRow
from .drafts import Draft, draft_of_import
from .mentions import MentionResolver
from .messages import TweetMessages, entities_bytes, mentioned
from .posting import NO_TARGET, row_of
from .store.cache import TweetCache
from .store.posts import NewPost, PostStore
from .store.reads import ReadStore

MAX_BATCH = 1_000
MAX_NAMES = 200
"""Distinct mentioned names that one batch asks about; mentions beyond keep user id 0."""
MAX_ATTEMPTS = 5
NO_AUTHOR = 0
_LOW_BITS = 22


class Ingester:
    """Stores batches of tweets of any authors."""

    def __init__(
        self,
        posts: PostStore,
        reads: ReadStore,
        cache: TweetCache,
        mentions: MentionResolver,
        messages: TweetMessages,
        snowflakes: Snowflakes,
        status_length: int,
    ) -> None:
        self._status_length = status_length
        self._posts = posts
        self._reads = reads
        self._cache = cache
        self._mentions = mentions
        self._messages = messages
        self._snowflakes = snowflakes

    async def ingest(self, request: pb.IngestTweetsRequest, request_id: str) -> Sequence[int]:
        """Store one batch durably; the ids in its order."""
        if not 1 <= len(request.tweets) <= MAX_BATCH:
            problem = f"holds {len(request.tweets)} tweets; 1 to {MAX_BATCH} are allowed"
            raise InvalidFieldError(field="tweets", problem=problem)
        drafts = [
            draft_of_import(tweet, f"tweets[{number}]", self._status_length)
            for number, tweet in enumerate(request.tweets)
        ]
        targets = await self._find_targets(drafts)
        user_ids = await self._resolve(drafts)
        mentions = [_mentioned(draft, user_ids) for draft in drafts]
        body_hash = _hash(request) if request_id else b""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            rows = self._rows(request.tweets, drafts, targets, user_ids)
            try:
                posts = self._new_posts(rows, mentions)
                await self._cache.recount(
                    i for row in rows for i in (row.in_reply_to_tweet_id, row.quote_tweet_id)
                )
                return await self._posts.ingest(posts, request_id, body_hash)
            except psycopg.errors.UniqueViolation:
                # An id of the past was taken: the next attempt draws others.
                if attempt == MAX_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _rows(
        self,
        tweets: Sequence[pb.IngestTweet],
        drafts: Sequence[Draft],
        targets: dict[int, Target],
        user_ids: dict[str, int],
    ) -> list[TweetRow]:
        minted: set[int] = set()
        rows: list[TweetRow] = []
        for number, (tweet, draft) in enumerate(zip(tweets, drafts, strict=True)):
            entities = entities_bytes(draft.found, user_ids)
            reply = _target(targets, draft.in_reply_to_tweet_id)
            quote = _target(targets, draft.quote_tweet_id)
            past = tweet.HasField("create_time")
            tweet_id = _past_id(tweet, number, minted) if past else self._snowflakes.next()
            row = row_of(tweet_id, tweet.user_id, draft, entities, reply, quote)
            rows.append(row._replace(flags=row.flags | BACKFILLED) if past else row)
        return rows

    def _new_posts(
        self, rows: Sequence[TweetRow], mentions: Sequence[tuple[int, ...]]
    ) -> list[NewPost]:
        tweets = [self._messages.serialize(row) for row in rows]
        trace = traceparent()
        return [
            NewPost(row, tweet, frame(FIRST, tweet), mentioned=users, traceparent=trace)
            for row, tweet, users in zip(rows, tweets, mentions, strict=True)
        ]

    async def _find_targets(self, drafts: Sequence[Draft]) -> dict[int, Target]:
        wanted = {draft.in_reply_to_tweet_id for draft in drafts}
        wanted |= {draft.quote_tweet_id for draft in drafts}
        return await self._reads.targets(list(wanted - {0})) if wanted != {0} else {}

    async def _resolve(self, drafts: Sequence[Draft]) -> dict[str, int]:
        names = {mention.name.lower() for draft in drafts for mention in draft.found.mentions}
        asked = sorted(names)[:MAX_NAMES]
        return dict.fromkeys(names - set(asked), 0) | await self._mentions.resolve(asked, NO_AUTHOR)


def _mentioned(draft: Draft, user_ids: dict[str, int]) -> tuple[int, ...]:
    names = draft.found.mentions
    if not names:
        return ()
    return mentioned({m.name: user_ids.get(m.name.lower(), 0) for m in names})


def _target(targets: dict[int, Target], tweet_id: int) -> Target:
    """A target that is not here may come with a later batch: its id is kept."""
    return targets.get(tweet_id) or (Target(tweet_id, 0, tweet_id) if tweet_id else NO_TARGET)


def _past_id(tweet: pb.IngestTweet, number: int, minted: set[int]) -> int:
    """An id of the tweet's own millisecond, its lower bits random, unlike any in `minted`."""
    unix_ms = tweet.create_time.ToMilliseconds()
    if not EPOCH_MS <= unix_ms <= time.time_ns() // 1_000_000:
        field = f"tweets[{number}].create_time"
        raise InvalidFieldError(field=field, problem="must be between 2024-01-01 and now")
    while True:
        tweet_id = id_at(unix_ms) | secrets.randbits(_LOW_BITS)
        if tweet_id not in minted:
            minted.add(tweet_id)
            return tweet_id


def _hash(request: pb.IngestTweetsRequest) -> bytes:
    body = request.SerializeToString(deterministic=True)
    return hashlib.blake2b(body, digest_size=16).digest()
