"""Favourites."""

from collections.abc import Sequence

from aviary.events.v1 import payload_pb2
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from .engagement import Engagement
from .store.cache import TweetCache
from .store.engagement import Change, EngagementStore, EventsOf, Wish

_KINDS = {
    True: ("TweetFavorited", payload_pb2.TweetFavorited),
    False: ("TweetUnfavorited", payload_pb2.TweetUnfavorited),
}


class Favorites:
    """Favourites tweets, and no longer."""

    def __init__(self, store: EngagementStore, cache: TweetCache, snowflakes: Snowflakes) -> None:
        self._snowflakes = snowflakes
        self._engagement = Engagement(
            "favourites", store.favorite, self._prepare, cache, snowflakes
        )

    async def change(self, tweet_id: int, user_id: int, *, wanted: bool) -> int:
        """Favourite a tweet, or no longer; how many do now. Raises TWEET_NOT_FOUND."""
        return await self._engagement.change(tweet_id, user_id, wanted=wanted)

    async def close(self) -> None:
        """Wait for the commit under way."""
        await self._engagement.close()

    async def _prepare(self, _wishes: Sequence[Wish]) -> EventsOf:
        return self._events

    def _events(self, changes: Sequence[Change]) -> list[NewEvent]:
        return [self._event(change) for change in changes]

    def _event(self, change: Change) -> NewEvent:
        kind, payload = _KINDS[change.added]
        message = payload(
            tweet_id=change.tweet_id, user_id=change.user_id, author_user_id=change.author_id
        )
        event_id = self._snowflakes.next()
        return NewEvent(event_id, change.user_id, kind, message.SerializeToString())
