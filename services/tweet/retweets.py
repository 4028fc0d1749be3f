"""Retweets: tweets that show another one, at most one a user and original."""

from collections.abc import Mapping, Sequence

from aviary.events.v1 import payload_pb2
from clients.wire import FIRST, frame
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from .domain import RETWEET, TweetRow
from .engagement import Engagement
from .errors import TweetNotFoundError
from .messages import TweetMessages, with_original
from .reading import TweetReader
from .store.cache import TweetCache
from .store.engagement import Change, EngagementStore, EventsOf, Wish


class Retweets:
    """Makes retweets and takes them back."""

    def __init__(
        self,
        store: EngagementStore,
        reader: TweetReader,
        cache: TweetCache,
        messages: TweetMessages,
        snowflakes: Snowflakes,
    ) -> None:
        self._store = store
        self._reader = reader
        self._cache = cache
        self._messages = messages
        self._snowflakes = snowflakes
        self._engagement = Engagement("retweets", store.retweet, self._prepare, cache, snowflakes)

    async def make(self, original_id: int, user_id: int) -> bytes:
        """Retweet what is no retweet itself; the serialized retweet. Raises TWEET_NOT_FOUND."""
        await self._engagement.change(original_id, user_id, wanted=True)
        retweet_id = await self._store.retweet_id(original_id, user_id)
        found = await self._reader.get_many([retweet_id])
        if retweet_id not in found:
            # Deleted, or taken back by the same user elsewhere, since.
            raise TweetNotFoundError(tweet_id=original_id)
        return found[retweet_id]

    async def take_back(self, original_id: int, user_id: int) -> None:
        """Take a retweet back; where there is nothing to take back that is a success."""
        retweet_id = await self._store.retweet_id(original_id, user_id)
        if retweet_id:
            await self._cache.bar([retweet_id])
            await self._engagement.change(original_id, user_id, wanted=False)

    async def close(self) -> None:
        """Wait for the commit under way."""
        await self._engagement.close()

    async def _prepare(self, wishes: Sequence[Wish]) -> EventsOf:
        wanted = list({wish.tweet_id for wish in wishes if wish.wanted})
        originals = await self._reader.get_many(wanted) if wanted else {}

        def events_of(changes: Sequence[Change]) -> list[NewEvent]:
            return [self._event(change, originals) for change in changes]

        return events_of

    def _event(self, change: Change, originals: Mapping[int, bytes]) -> NewEvent:
        if not change.added:
            payload = payload_pb2.TweetDeleted(
                tweet_id=change.row_id, user_id=change.user_id, retweeted_tweet_id=change.tweet_id
            )
            event_id = self._snowflakes.next()
            return NewEvent(event_id, change.user_id, "TweetDeleted", payload.SerializeToString())
        stub = self._messages.serialize(retweet_row(change))
        original = originals.get(change.tweet_id)
        # One that was not found has just been deleted: whoever reads of it reads of that next.
        tweet = stub if original is None else with_original(stub, original)
        return NewEvent(change.row_id, change.user_id, "TweetCreated", frame(FIRST, tweet))


def retweet_row(change: Change) -> TweetRow:
    """What is kept of a retweet."""
    return TweetRow(
        tweet_id=change.row_id,
        author_id=change.user_id,
        status="",
        entities=b"",
        conversation_id=change.row_id,
        flags=RETWEET,
        original_tweet_id=change.tweet_id,
        original_user_id=change.author_id,
    )
