"""Reading tweets by id: the cache for all requests in flight at once, SQL behind it."""

from collections.abc import Sequence

from services.chassis.batching import Batcher, Loader

from .messages import TweetMessages
from .store.cache import TweetCache
from .store.reads import ReadStore

MAX_REQUESTS, MAX_WAITING = 64, 4_000


class TweetReader:
    """Serialized tweets by id."""

    def __init__(self, reads: ReadStore, cache: TweetCache, messages: TweetMessages) -> None:
        self._reads = reads
        self._cache = cache
        self._messages = messages
        # Whole requests are gathered rather than single ids: a task per id would cost more than
        # the id itself.
        self._cached: Batcher[Sequence[int], dict[int, bytes]] = Batcher(
            "tweet reads", self._load_cached, max_batch=MAX_REQUESTS, max_waiting=MAX_WAITING
        )
        self._rows: Loader[int, bytes] = Loader("tweet rows", self._load_rows)

    async def get_many(self, tweet_ids: Sequence[int]) -> dict[int, bytes]:
        """The tweets that exist, and maybe some more that others asked for at the same time."""
        found = await self._cached.submit(tweet_ids)
        missing = [tweet_id for tweet_id in tweet_ids if tweet_id not in found]
        return found | await self._rows.get_many(missing) if missing else found

    async def _load_cached(self, requests: list[Sequence[int]]) -> list[dict[int, bytes]]:
        wanted = dict.fromkeys(tweet_id for request in requests for tweet_id in request)
        return [await self._cache.get_many(list(wanted))] * len(requests)

    async def _load_rows(self, tweet_ids: list[int]) -> dict[int, bytes]:
        rows = await self._reads.rows(tweet_ids)
        tweets = {row.tweet_id: self._messages.serialize(row) for row in rows}
        self._cache.fill(tweets)
        return tweets
