"""Fan-out: each new tweet into the home list of every active follower, and of its author.

A list exists while its user is active; LPUSHX touches no other. A batch that is tried again may
leave an entry twice, which readers forgive.

**What is sent is known to land in time, or its lists are dropped.** The order proof (`domain`) says
that an entry not marked LATE landed soon after it was stamped. Commands to which no answer came in
time break that: they may be carried out at any moment later. The lists they name are dropped before
anything else is sent, and their readers build them again.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated, UserFollowed, UserUnfollowed
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import unix_ms_of, wall_clock_ms

from . import domain, store
from .metrics import FanoutMetrics
from .pipeline import Pipeline
from .sources import FollowerSource, unpack_ids

CHUNK = 8_000
"""Commands sent before the answers are read: some 0.5 MB, 10 ms."""
MAX_HEADS = 500_000
ANSWER_SECONDS = 3.0
"""How long the answers to a chunk may take, which are there in 10 ms where nothing is wrong."""
LANDING_SECONDS = domain.LANDING_MS / 1000


class Delivery(NamedTuple):
    """A tweet and whose lists it goes to."""

    tweet_id: int
    user_id: int
    flags: int
    readers: Sequence[int]


class Heads(dict[int, bytes]):
    """Packed LPUSHX up to the entry, by user; made when first used."""

    def __missing__(self, user_id: int) -> bytes:
        if len(self) >= MAX_HEADS:
            self.clear()
        head = self[user_id] = store.push_head(user_id)
        return head


class Fanout:
    """Handles batches of events of Tweet's and Graph's logs."""

    def __init__(
        self,
        lists: store.HomeLists,
        pipeline: Pipeline,
        graph: FollowerSource,
        metrics: FanoutMetrics,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._lists = lists
        self._pipeline = pipeline
        self._graph = graph
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._heads = Heads()
        self._unanswered: set[int] = set()
        self._turn = asyncio.Lock()

    async def handle(self, events: Sequence[Event]) -> None:
        """Deliver the tweets and renew the lists that a batch is about; other kinds pass by.

        Returns when Redis has answered everything. May be called again with the same events.
        """
        followers = _changed_followers(events)
        tweets = [TweetCreated.FromString(e.payload).tweet for e in events if e.kind == _CREATED]
        # One batch at a time: followers that were asked for before a list was dropped must not be
        # delivered to after it.
        async with self._turn:
            await self._drop(self._unanswered, "unanswered")
            self._unanswered = set()
            await self._drop(followers, "follow")
            if tweets:
                await self._deliver(tweets)

    async def _drop(self, user_ids: set[int], why: str) -> None:
        if user_ids:
            await self._lists.drop(user_ids)
            self._metrics.dropped_lists.labels(why=why).inc(len(user_ids))

    async def _deliver(self, tweets: Sequence[Tweet]) -> None:
        authors = dict.fromkeys(tweet.user_id for tweet in tweets)
        found = await self._graph.follower_ids(authors)
        readers = {
            author: (*unpack_ids(found[author].follower_ids), author)
            if author in found
            else (author,)
            for author in authors
        }
        self._metrics.batch.observe(len(tweets))
        for chunk in _chunks(tweets, readers):
            await self._push(chunk)

    async def _push(self, chunk: Sequence[Delivery]) -> None:
        started = time.monotonic()
        readers = [reader for delivery in chunk for reader in delivery.readers]
        answered = False
        try:
            lengths = await self._pipeline.execute(self._pack(chunk), len(readers))
            answered = time.monotonic() - started <= LANDING_SECONDS
        finally:
            if not answered:
                self._unanswered.update(readers)
        await self._trim(readers, lengths)
        if self._unanswered:
            raise LandedLateError("deliveries landed late: their lists must go")
        self._count(chunk, lengths)

    def _pack(self, chunk: Sequence[Delivery]) -> bytes:
        now, parts = self._clock_ms(), []
        for tweet_id, user_id, flags, readers in chunk:
            late = domain.LATE if now - unix_ms_of(tweet_id) > domain.LATE_MS else 0
            tail = store.push_tail(domain.pack(tweet_id, user_id, flags | late))
            parts.append(tail.join(map(self._heads.__getitem__, readers)))
            parts.append(tail)
        return b"".join(parts)

    async def _trim(self, readers: Sequence[int], lengths: Sequence[int]) -> None:
        if max(lengths) <= domain.TRIM_BEYOND:
            return
        pairs = zip(readers, lengths, strict=True)
        long = {reader for reader, length in pairs if length > domain.TRIM_BEYOND}
        await self._pipeline.execute(b"".join(map(store.trim, long)), len(long))

    def _count(self, chunk: Sequence[Delivery], lengths: Sequence[int]) -> None:
        inactive = lengths.count(0)
        self._metrics.inactive.inc(inactive)
        self._metrics.deliveries.inc(len(lengths) - inactive)
        now = self._clock_ms()
        for delivery in chunk:
            self._metrics.lag.observe((now - unix_ms_of(delivery.tweet_id)) / 1000)


class LandedLateError(RedisError):
    """Redis answered so late that the batch has to be done again."""


def flags_of(tweet: Tweet) -> int:
    """The flags of a tweet's entries."""
    return (
        (domain.REPLY if tweet.in_reply_to_tweet_id else 0)
        | (domain.RETWEET if tweet.HasField("retweeted_status") else 0)
        | (domain.QUOTE if tweet.quote_tweet_id else 0)
        | (domain.MEDIA if tweet.media else 0)
        | (domain.SENSITIVE if tweet.sensitive else 0)
    )


_CREATED = "TweetCreated"
_FOLLOWS: Mapping[str, type[UserFollowed | UserUnfollowed]] = {
    "UserFollowed": UserFollowed,
    "UserUnfollowed": UserUnfollowed,
}


def _changed_followers(events: Sequence[Event]) -> set[int]:
    """Users whose lists are no longer what they should be: they followed or unfollowed somebody."""
    return {
        _FOLLOWS[event.kind].FromString(event.payload).user_id
        for event in events
        if event.kind in _FOLLOWS
    }


def _chunks(
    tweets: Sequence[Tweet], readers: Mapping[int, Sequence[int]]
) -> Iterator[list[Delivery]]:
    """The deliveries in pieces of at most CHUNK commands; a large author's are split."""
    chunk: list[Delivery] = []
    room = CHUNK
    for tweet in tweets:
        everybody, start = readers[tweet.user_id], 0
        while start < len(everybody):
            part = everybody[start : start + room]
            chunk.append(Delivery(tweet.tweet_id, tweet.user_id, flags_of(tweet), part))
            start, room = start + len(part), room - len(part)
            if not room:
                yield chunk
                chunk, room = [], CHUNK
    if chunk:
        yield chunk
