"""What is answered, quoted, favourited or retweeted: found for all callers at once."""

from services.chassis.batching import Loader
from services.chassis.short_cache import ShortCache

from .domain import Target
from .errors import TweetNotFoundError
from .store.reads import ReadStore

KEPT_SECONDS, MAX_KEPT = 60.0, 50_000
"""A tweet's author never changes; whether it is still there is asked again when it counts."""


class Targets:
    """Finds targets by id; of a retweet the original."""

    def __init__(self, reads: ReadStore) -> None:
        self._kept: ShortCache[int, Target] = ShortCache(KEPT_SECONDS, MAX_KEPT)
        self._loader: Loader[int, Target] = Loader("targets", reads.targets)

    async def current(self, tweet_ids: set[int]) -> dict[int, Target]:
        """Those that there are now."""
        return await self._loader.get_many(tweet_ids)

    async def get(self, tweet_id: int) -> Target:
        """One that there is, or was a minute ago. Raises TWEET_NOT_FOUND."""
        [known] = self._kept.get_many([tweet_id])
        if known is None:
            found = await self._loader.get_many([tweet_id])
            if tweet_id not in found:
                raise TweetNotFoundError(tweet_id=tweet_id)
            known = found[tweet_id]
            self._kept.put_many(found)
        return known
