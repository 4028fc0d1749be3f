"""What people do with tweets: the wishes of many at once are one transaction, one lock a tweet.

Of what one user wishes several times of one tweet in the same batch only the last counts: they
were all under way at the same time, so that is one of their possible orders.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from clients.context import traceparent
from services.chassis.batching import Batcher
from services.chassis.events.log import NewEvent
from services.chassis.snowflake import Snowflakes

from .errors import TweetNotFoundError
from .store.cache import TweetCache
from .store.engagement import Change, EventsOf, Outcome, Wish

MAX_BATCH, MAX_WAITING = 256, 4_000
Store = Callable[[Sequence[Wish], EventsOf], Awaitable[Outcome]]
Prepare = Callable[[Sequence[Wish]], Awaitable[EventsOf]]
"""What a batch's events are made by, with whatever has to be read for them."""


class Asked(NamedTuple):
    """A wish, and the trace of the call that has it."""

    wish: Wish
    traceparent: str


class Engagement:
    """One kind of engagement; each answer comes when it is durable."""

    def __init__(
        self, name: str, store: Store, prepare: Prepare, cache: TweetCache, snowflakes: Snowflakes
    ) -> None:
        self._store = store
        self._prepare = prepare
        self._cache = cache
        self._snowflakes = snowflakes
        self._batcher: Batcher[Asked, int] = Batcher(
            name, self._fulfil, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    async def change(self, tweet_id: int, user_id: int, *, wanted: bool) -> int:
        """Have it, or no longer; how many have it now. Raises TWEET_NOT_FOUND."""
        wish = Wish(tweet_id, user_id, self._snowflakes.next(), wanted)
        return await self._batcher.submit(Asked(wish, traceparent()))

    async def close(self) -> None:
        """Wait for the commit under way."""
        await self._batcher.close()

    async def _fulfil(self, asked: list[Asked]) -> Sequence[int | Exception]:
        last_asked = {(wish.tweet_id, wish.user_id): (wish, trace) for wish, trace in asked}
        last = [wish for wish, _ in last_asked.values()]
        traces = {key: trace for key, (_, trace) in last_asked.items()}
        events_of = _within(traces, await self._prepare(last))
        # Before the commit: a crash in between must not leave old counts to be read for long.
        await self._cache.recount(wish.tweet_id for wish in last)
        totals = (await self._store(last, events_of)).totals
        return [
            TweetNotFoundError(tweet_id=wish.tweet_id)
            if (total := totals.get(wish.tweet_id)) is None
            else total
            for wish, _ in asked
        ]


def _within(traces: Mapping[tuple[int, int], str], events_of: EventsOf) -> EventsOf:
    """Events with the traces of whoever wished for them, by tweet and user."""

    def traced(changes: Sequence[Change]) -> list[NewEvent]:
        return [
            replace(event, traceparent=traces[change.tweet_id, change.user_id])
            for change, event in zip(changes, events_of(changes), strict=True)
        ]

    return traced
