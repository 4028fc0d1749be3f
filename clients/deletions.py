"""Saying that a store is rid of deleted tweets, for the Tweet service's report of each deletion."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from aviary.events.v1 import payload_pb2

from .context import Origin, current, shared
from .errors import PeerError
from .events import Event, Handler
from .tweet import TweetClient

MAX_TOLD = 1_000
log = structlog.get_logger()


class DeletionReports:
    """Reports of one store. Best effort: what cannot be said is logged, and nobody waits for it."""

    def __init__(self, tweets: TweetClient, store: str) -> None:
        self._tweets = tweets
        self._store = store
        self._waiting: dict[int, Origin] = {}
        self._telling: asyncio.Task[None] | None = None

    def tell(self, tweet_ids: Iterable[int]) -> None:
        """Say that the store is rid of these, soon."""
        self._waiting.update(dict.fromkeys(tweet_ids, current.get()))
        if self._waiting and self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    def telling(self, handler: Handler) -> Handler:
        """A consumer's handler that tells what its events deleted, when they are handled."""

        async def handle(events: Sequence[Event]) -> None:
            await handler(events)
            self.tell(deleted_tweets(events))

        return handle

    async def _tell(self) -> None:
        try:
            while self._waiting:
                some = list(self._waiting)[:MAX_TOLD]
                current.set(shared([self._waiting.pop(tweet_id) for tweet_id in some]))
                await self._tweets.record_deletions(self._store, some)
        except PeerError as error:
            log.info("deletions not reported", store=self._store, why=str(error))
        finally:
            self._telling = None


def deleted_tweets(events: Iterable[Event]) -> list[int]:
    """The tweets that these events deleted; not retweets, which go with their original."""
    gone = (
        payload_pb2.TweetDeleted.FromString(event.payload)
        for event in events
        if event.kind == "TweetDeleted"
    )
    return [deleted.tweet_id for deleted in gone if not deleted.retweeted_tweet_id]
