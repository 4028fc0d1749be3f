"""Deleting tweets, and cleaning up behind it."""

import asyncio
import contextlib
import itertools

import structlog
from prometheus_client import CollectorRegistry, Counter

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from .domain import RETWEET
from .errors import TweetNotFoundError
from .media.sweeping import Sweeper
from .messages import TweetMessages
from .retweets import Retweets
from .store.cache import TweetCache
from .store.deletions import DeletionStore
from .store.posts import PostStore

LOOK_SECONDS = 1.0
"""How often a replica looks for what another one left behind; what it deletes itself wakes it."""
PRUNE_LOOKS = 3_600
log = structlog.get_logger()


class Deleter:
    """Deletes a caller's tweets."""

    def __init__(
        self,
        posts: PostStore,
        deletions: DeletionStore,
        retweets: Retweets,
        cache: TweetCache,
        media: Sweeper,
        messages: TweetMessages,
        snowflakes: Snowflakes,
        registry: CollectorRegistry,
    ) -> None:
        self._posts = posts
        self._deletions = deletions
        self._retweets = retweets
        self._cache = cache
        self._media = media
        self._messages = messages
        self._snowflakes = snowflakes
        self._left = asyncio.Event()
        self._cleaned = Counter(
            "aviary_tweet_deletions_cleaned",
            "Deleted tweets of whom nothing is left",
            registry=registry,
        )

    async def delete(self, author_id: int, tweet_id: int) -> None:
        """Delete the author's tweet or retweet. Raises TWEET_NOT_FOUND.

        Its cache key is barred before the commit, so that neither a crash in between nor a fill
        under way can leave it readable.
        """
        row = await self._posts.own(author_id, tweet_id)
        if row is None:
            raise TweetNotFoundError(tweet_id=tweet_id)
        if row.flags & RETWEET:
            await self._retweets.take_back(row.original_tweet_id, author_id)
            return
        barred = await self._cache.bar([tweet_id])
        await self._cache.recount((row.in_reply_to_tweet_id, row.quote_tweet_id))
        payload = payload_pb2.TweetDeleted(
            tweet_id=tweet_id,
            user_id=author_id,
            in_reply_to_tweet_id=row.in_reply_to_tweet_id,
            tweet=Tweet.FromString(self._messages.serialize(row)),
        ).SerializeToString()
        event = NewEvent(self._snowflakes.next(), author_id, "TweetDeleted", payload)
        if not await self._deletions.delete(row, event):
            raise TweetNotFoundError(tweet_id=tweet_id)
        if not barred:
            await self._cache.bar([tweet_id])
        self._left.set()

    async def clean(self) -> None:
        """Clean up what is left of deleted tweets."""
        while (cleaned := await self._deletions.clean(self._retweet_gone)) is not None:
            if cleaned.retweet_ids:
                await self._cache.bar(cleaned.retweet_ids)
            if cleaned.done:
                self._cleaned.inc()
        if with_media := await self._deletions.with_media():
            await self._media.collect()
            await self._deletions.note("media", with_media)

    async def keep_clean(self) -> None:
        """Clean up, for ever."""
        for look in itertools.count():
            self._left.clear()
            try:
                await self.clean()
                if look % PRUNE_LOOKS == 0:
                    await self._deletions.prune()
            except Exception as error:
                log.warning("deleted tweets not cleaned up", why=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._left.wait()

    def _retweet_gone(self, retweet_id: int, user_id: int, original_id: int) -> NewEvent:
        payload = payload_pb2.TweetDeleted(
            tweet_id=retweet_id, user_id=user_id, retweeted_tweet_id=original_id
        )
        event_id = self._snowflakes.next()
        return NewEvent(event_id, user_id, "TweetDeleted", payload.SerializeToString())
