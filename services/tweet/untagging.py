"""Taking one's tag off a tweet's photos."""

from functools import partial

from aviary.events.v1 import payload_pb2
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from .domain import Target
from .domain_tags import Untagged
from .errors import TweetNotFoundError
from .messages import without_tag
from .store.cache import TweetCache
from .store.tags import TagStore
from .targets import Targets


class Untagger:
    """Takes tags off."""

    def __init__(
        self, store: TagStore, targets: Targets, cache: TweetCache, snowflakes: Snowflakes
    ) -> None:
        self._store = store
        self._targets = targets
        self._cache = cache
        self._snowflakes = snowflakes

    async def remove(self, tweet_id: int, user_id: int) -> None:
        """Take a user's tag off; where there is none that is a success. Raises TWEET_NOT_FOUND.

        Its cache key is barred before the commit, so that neither a crash in between nor a fill
        under way can leave the tag readable.
        """
        target = await self._targets.get(tweet_id)
        entities = await self._store.entities(target)
        if entities is None:
            raise TweetNotFoundError(tweet_id=tweet_id)
        if without_tag(entities, user_id) is None:
            return
        barred = await self._cache.bar([target.tweet_id])
        event_of = partial(self._event, target, user_id)
        await self._store.remove(target, user_id, without_tag, event_of)
        if not barred:
            await self._cache.bar([target.tweet_id])

    def _event(self, target: Target, user_id: int, untagged: Untagged) -> NewEvent:
        payload = payload_pb2.MediaTagRemoved(
            tweet_id=target.tweet_id,
            user_id=user_id,
            author_user_id=target.author_id,
            mentioned=untagged.mentioned,
        )
        event_id = self._snowflakes.next()
        return NewEvent(event_id, user_id, "MediaTagRemoved", payload.SerializeToString())
