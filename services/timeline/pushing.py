"""Writing deliveries to Redis: packed, in pieces, and known to land in time.

**What is sent is known to land in time, or its lists are dropped.** The order proof (`domain`) says
that an entry not marked LATE landed soon after it was stamped. Commands to which no answer came in
time break that: they may be carried out at any moment later. The lists they name are dropped before
anything else is sent, and their readers build them again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.redis_pipeline import Pipeline
from services.chassis.snowflake import unix_ms_of, wall_clock_ms

from . import domain, store
from .metrics import FanoutMetrics

CHUNK = 8_000
"""Commands sent before the answers are read: some 0.5 MB, 10 ms."""
MAX_HEADS = 500_000
ANSWER_SECONDS = 3.0
"""How long the answers to a chunk may take, which are there in 10 ms where nothing is wrong."""
LANDING_SECONDS = domain.LANDING_MS / 1000


class Delivery(NamedTuple):
    """A tweet and the lists it goes to: home lists by user id, a ring by its author's id negated.

    The ring, where there is one, comes last.
    """

    tweet_id: int
    user_id: int
    flags: int
    targets: Sequence[int]


class Heads(dict[int, bytes]):
    """Packed LPUSHX up to the entry, by target; made when first used."""

    def __missing__(self, target: int) -> bytes:
        if len(self) >= MAX_HEADS:
            self.clear()
        head = self[target] = store.push_head(*_list_of(target))
        return head


class Pusher:
    """Pushes entries into home lists and rings. Not for several tasks at a time."""

    def __init__(
        self,
        lists: store.Lists,
        rings: store.Lists,
        pipeline: Pipeline,
        metrics: FanoutMetrics,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._lists = lists
        self._rings = rings
        self._pipeline = pipeline
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._heads = Heads()
        self._unanswered: set[int] = set()

    async def drop_unanswered(self) -> None:
        """Drop the lists of commands to which no answer came, before anything else is sent."""
        if self._unanswered:
            await self._lists.drop(target for target in self._unanswered if target > 0)
            await self._rings.drop(-target for target in self._unanswered if target < 0)
            self._metrics.dropped_lists.labels(why="unanswered").inc(len(self._unanswered))
            self._unanswered = set()

    async def push(self, tweets: Sequence[Tweet], targets: Mapping[int, Sequence[int]]) -> None:
        """Push tweets to their authors' targets; lists that grow too long are trimmed."""
        for chunk in _chunks(tweets, targets):
            await self._push(chunk)

    async def _push(self, chunk: Sequence[Delivery]) -> None:
        started = time.monotonic()
        targets = [target for delivery in chunk for target in delivery.targets]
        answered = False
        try:
            lengths = await self._pipeline.execute(self._pack(chunk), len(targets))
            answered = time.monotonic() - started <= LANDING_SECONDS
        finally:
            if not answered:
                self._unanswered.update(targets)
        await self._trim(targets, lengths)
        if self._unanswered:
            raise LandedLateError("deliveries landed late: their lists must go")
        self._count(chunk, lengths)

    def _pack(self, chunk: Sequence[Delivery]) -> bytes:
        now, parts = self._clock_ms(), []
        for tweet_id, user_id, flags, targets in chunk:
            late = domain.LATE if now - unix_ms_of(tweet_id) > domain.LATE_MS else 0
            tail = store.push_tail(domain.pack(tweet_id, user_id, flags | late))
            parts.append(tail.join(map(self._heads.__getitem__, targets)))
            parts.append(tail)
        return b"".join(parts)

    async def _trim(self, targets: Sequence[int], lengths: Sequence[int]) -> None:
        kept = self._lists.length
        most = kept + domain.TRIM_SLACK
        if max(lengths) <= most:
            return
        pairs = zip(targets, lengths, strict=True)
        long = {target for target, length in pairs if length > most}
        commands = [store.trim(owner_id, kept, kind) for owner_id, kind in map(_list_of, long)]
        await self._pipeline.execute(b"".join(commands), len(commands))

    def _count(self, chunk: Sequence[Delivery], lengths: Sequence[int]) -> None:
        inactive = lengths.count(0)
        now, at, in_rings, no_rings = self._clock_ms(), 0, 0, 0
        for delivery in chunk:
            self._metrics.lag.observe((now - unix_ms_of(delivery.tweet_id)) / 1000)
            at += len(delivery.targets)
            if delivery.targets[-1] < 0:
                in_rings += lengths[at - 1] > 0
                no_rings += lengths[at - 1] == 0
        self._metrics.inactive.inc(inactive - no_rings)
        self._metrics.deliveries.inc(len(lengths) - inactive - in_rings)
        self._metrics.ring_deliveries.inc(in_rings)


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


def _list_of(target: int) -> tuple[int, store.Kind]:
    """The owner and the kind of a delivery's list."""
    return (target, store.HOME) if target > 0 else (-target, store.RING)


def _chunks(
    tweets: Sequence[Tweet], targets: Mapping[int, Sequence[int]]
) -> Iterator[list[Delivery]]:
    """The deliveries in pieces of at most CHUNK commands; a large author's are split."""
    chunk: list[Delivery] = []
    room = CHUNK
    for tweet in tweets:
        everybody, start = targets[tweet.user_id], 0
        while start < len(everybody):
            part = everybody[start : start + room]
            chunk.append(Delivery(tweet.tweet_id, tweet.user_id, flags_of(tweet), part))
            start, room = start + len(part), room - len(part)
            if not room:
                yield chunk
                chunk, room = [], CHUNK
    if chunk:
        yield chunk
