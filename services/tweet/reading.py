"""Reading tweets by id: the cache for all requests in flight at once, SQL behind it."""

from collections.abc import Mapping, Sequence

from clients.tweet import original_of
from services.chassis.batching import Batcher, Loader

from .messages import TweetMessages, with_original
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

    async def get_many(self, tweet_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Those of the tweets that exist, in the order asked."""
        found = await self._read(tweet_ids)
        return await self.whole({i: found[i] for i in tweet_ids if i in found})

    async def whole(self, tweets: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """Serialized rows with the originals in the retweets among them, in the same order.

        Kept apart they are always current: a retweet shows what its original has become, and is
        gone when the original is.
        """
        shown = ((i, original_of(tweet).tweet_id) for i, tweet in tweets.items())
        originals = {i: original_id for i, original_id in shown if original_id}
        if not originals:
            return tweets
        found = await self._read(list(dict.fromkeys(originals.values())))
        return {
            i: with_original(tweet, found[originals[i]]) if i in originals else tweet
            for i, tweet in tweets.items()
            if i not in originals or originals[i] in found
        }

    async def _read(self, tweet_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Maybe with some more that others asked for at the same time."""
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
