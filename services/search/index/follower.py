"""One shard follows Tweet's log: what was posted is found within a second, what is deleted is not.

A new index first reads every tweet, newest first, while it follows the log from a minute before it
began; until that is done its progress says that it is not complete. One that died meanwhile, or
that lost its place in the log, begins anew.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, Counter, Gauge

from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.deletions import DeletionReports, deleted_tweets
from clients.errors import PeerError
from clients.events import Event
from clients.tail import EventTail, Position
from clients.tweet import TweetClient
from services.chassis.tweet_changes import counted_by, told_by

from ..domain_shards import Part
from .entries import Entry, entry_of
from .shard_index import Progress, ShardIndex

COMMIT_SECONDS = 0.3
"""Between two commits: with the log's own 20 ms, what is posted is found well within a second."""
HISTORY_SECONDS = 60.0
REFRESH_SECONDS = 10.0
MAX_CHANGED = 2_000
"""Tweets whose counts are read again at a time; the others wait for their next reaction."""
RESTART_SECONDS = 1.0
REACTIONS = {"TweetCreated", "TweetFavorited", "TweetUnfavorited"}
log = structlog.get_logger()


class Audience(Protocol):
    """What else wants to know what the log tells; `found_tweets.FoundTweets` is one."""

    def told(self, payloads: Sequence[Message]) -> None:
        """The log has told of these."""

    def watched(self, current: bool) -> None:
        """Whether it is being followed to its end."""

    def lost(self) -> None:
        """It is not followed any more."""


class FollowerMetrics:
    """What a shard's follower counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.indexed = Counter(
            "aviary_search_indexed_tweets", "Tweets put into the index", registry=registry
        )
        self.deleted = Counter(
            "aviary_search_deleted_tweets", "Tweets taken out of the index", registry=registry
        )
        self.complete = Gauge(
            "aviary_search_complete_timestamp_seconds",
            "The index holds every tweet of its part from before this moment (Unix time)",
            registry=registry,
        )


class Follower:
    """Keeps one index up to date; `run` does it."""

    def __init__(
        self,
        index: ShardIndex,
        part: Part,
        tweets: TweetClient,
        audience: Audience,
        metrics: FollowerMetrics,
    ) -> None:
        self._reports = DeletionReports(tweets, "search")
        self._taken_out: list[int] = []
        self._index = index
        self._part = part
        self._tweets = tweets
        self._audience = audience
        self._metrics = metrics
        self._position: Position | None = None
        self._complete = False
        self._dirty = False
        self._changed: dict[int, None] = {}
        self._turn = threading.Lock()
        """What was read elsewhere must not be put in behind what the log told of it meanwhile."""
        self._told: set[int] = set()
        """While all tweets are being read: those that the log put in."""
        self._gone: set[int] = set()
        """Those that it took out, at least since the last refresh began."""
        self._followed = asyncio.Event()

    @property
    def complete_time(self) -> float:
        """The index holds every tweet from before this moment (Unix time); 0 while it does not."""
        return self._current_until if self._complete else 0.0

    _current_until = 0.0

    async def run(self) -> None:
        """Follow for ever; after a failure from where the index is."""
        while True:
            try:
                await self._follow()
            except Exception:
                log.exception("indexing failed, starting it again")
            self._audience.lost()
            await asyncio.sleep(RESTART_SECONDS)

    async def _follow(self) -> None:
        progress = self._index.progress
        tail = EventTail(self._tweets, history_seconds=HISTORY_SECONDS)
        if progress is not None and progress.complete:
            tail.position, self._complete = progress.position, True
        else:
            await self._begin_anew()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_committing(tail))
            tasks.create_task(self._keep_refreshing())
            if not self._complete:
                tasks.create_task(self._read_all())
            async with contextlib.aclosing(tail.stretches()) as stretches:
                began = False
                async for stretch in stretches:
                    if not stretch.continuous and (began or self._complete):
                        raise LookupError("the place in the log was lost; all tweets are read anew")
                    began = True
                    await self._take(stretch.events)
                    self._position = stretch.position
                    self._followed.set()

    async def _begin_anew(self) -> None:
        self._complete, self._position, self._dirty = False, None, False
        self._followed.clear()
        self._told.clear()
        self._gone.clear()
        await asyncio.to_thread(self._index.empty)

    async def _take(self, events: Sequence[Event]) -> None:
        if events:
            told, added, deleted = await asyncio.to_thread(self._read, events)
            self._audience.told(told)
            self._taken_out += filter(self._part.holds, deleted_tweets(events))
            self._metrics.indexed.inc(added)
            self._metrics.deleted.inc(deleted)
        self._dirty = True

    def _read(self, events: Iterable[Event]) -> tuple[list[Message], int, int]:
        """Apply a batch; what comes last of a tweet counts. What it tells, and how many of each."""
        told = told_by(events)
        added: dict[int, Entry] = {}
        deleted: dict[int, None] = {}
        for event, payload in told:
            if event.kind in REACTIONS:
                for reacted in counted_by(payload).tweet_ids:
                    self._note_change(reacted)
            if event.kind == "TweetCreated":
                entry = self._entry(payload.tweet)
                if entry is not None:
                    added[entry.tweet_id] = entry
            elif event.kind == "TweetDeleted":
                added.pop(payload.tweet_id, None)
                deleted[payload.tweet_id] = None
        with self._turn:
            self._gone.update(deleted)
            if not self._complete:
                self._told.update(added)
            self._index.apply(added.values(), deleted)
        return [payload for _, payload in told], len(added), len(deleted)

    def _entry(self, tweet: Tweet) -> Entry | None:
        return entry_of(tweet) if self._part.holds(tweet.tweet_id) else None

    def _note_change(self, tweet_id: int) -> None:
        if tweet_id and self._part.holds(tweet_id) and len(self._changed) < MAX_CHANGED:
            self._changed[tweet_id] = None

    async def _keep_committing(self, tail: EventTail) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            began, current = time.time(), tail.current
            self._audience.watched(current)
            if self._dirty and self._position is not None:
                self._dirty = False
                await self._commit()
            if current:
                self._current_until = began
                self._metrics.complete.set(self.complete_time)

    async def _commit(self) -> None:
        assert self._position is not None
        taken_out, self._taken_out = self._taken_out, []
        await asyncio.to_thread(self._index.commit, Progress(self._position, self._complete))
        self._reports.tell(taken_out)

    async def _keep_refreshing(self) -> None:
        """Index tweets again to which somebody reacted, with their counts of now."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            changed, self._changed = list(self._changed), {}
            if changed:
                with contextlib.suppress(PeerError):
                    await self._refresh(changed)

    async def _refresh(self, tweet_ids: list[int]) -> None:
        if self._complete:
            self._gone.clear()
        raw = await self._tweets.batch_get_raw(tweet_ids)
        await asyncio.to_thread(self._put, map(Tweet.FromString, raw.values()), set())
        self._dirty = True

    def _put(self, tweets: Iterable[Tweet], told: set[int]) -> int:
        """Put in what was read elsewhere, but for what the log told something newer of."""
        entries = [entry for tweet in tweets if (entry := self._entry(tweet)) is not None]
        with self._turn:
            known = told | self._gone
            self._index.apply([each for each in entries if each.tweet_id not in known], ())
        return len(entries)

    async def _read_all(self) -> None:
        """Put every tweet in; newest first, so that search is useful soon."""
        log.info("reading all tweets", shard=self._part.shard)
        await self._followed.wait()  # the log first, so that nothing falls in between
        last, count = 0, 0
        while True:
            try:
                async with contextlib.aclosing(self._tweets.scan(last)) as batches:
                    async for batch in batches:
                        last = batch[-1].tweet_id
                        count += await asyncio.to_thread(self._put, batch, self._told)
                        self._dirty = True
                break
            except PeerError as error:
                log.warning("tweets not read to their end, going on", why=str(error))
                await asyncio.sleep(RESTART_SECONDS)
        self._complete, self._dirty = True, True
        self._told.clear()
        log.info("all tweets are read", shard=self._part.shard, count=count)
