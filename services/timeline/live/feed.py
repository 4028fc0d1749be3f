"""The two logs that a replica follows: Graph's for what changes in relations, Tweet's for tweets.

Both run as long as the replica. Without Graph's nobody would know when cached relations are out of
date. Tweet's could wait for the first stream, but then a client whose stream was cut by a drain
would meet a replica that remembers nothing; an event costs some 4 us and 82 bytes.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import structlog
from google.protobuf.message import Message

from aviary.events.v1 import payload_pb2
from clients.deletions import deleted_tweets
from clients.errors import PeerError
from clients.events import Event
from clients.tail import EventTail, Position, Stretch
from services.chassis.errors import ServiceError
from services.chassis.tweet_changes import TweetChanges, told_by

from ..hydrate import Hydrator
from .history import History, Record
from .hub import Hub
from .metrics import LiveMetrics

PREFETCH_SECONDS = 1.0
log = structlog.get_logger()

_BOTH: Mapping[str, Any] = {
    "UserFollowed": payload_pb2.UserFollowed,
    "UserUnfollowed": payload_pb2.UserUnfollowed,
    "FollowUpdated": payload_pb2.FollowUpdated,
    "UserBlocked": payload_pb2.UserBlocked,
    "UserUnblocked": payload_pb2.UserUnblocked,
}
_ACTOR: Mapping[str, Any] = {
    "UserMuted": payload_pb2.UserMuted,
    "UserUnmuted": payload_pb2.UserUnmuted,
}


class Forgetful(Protocol):
    """What remembers users: `relations.RelationsCache`, `hub.Hub`, the hydrator's shelf."""

    def forget(self, user_ids: Iterable[int], /) -> None:
        """These users, or their relations, have changed."""

    def forget_all(self) -> None:
        """Changes may have been missed."""


class RelationsFeed:
    """Says whose relations changed, to each listener in turn."""

    def __init__(self, tail: EventTail, listeners: Sequence[Forgetful]) -> None:
        self._tail = tail
        self._listeners = listeners

    async def run(self) -> None:
        """Follow Graph's log for ever."""
        async with contextlib.aclosing(self._tail.stretches()) as stretches:
            async for stretch in stretches:
                self._take(stretch)

    def _take(self, stretch: Stretch) -> None:
        changed = changed_users(stretch.events)
        for listener in self._listeners:
            if not stretch.continuous:
                listener.forget_all()
            elif changed:
                listener.forget(changed)


class TweetFeed:
    """Remembers what Tweet's log tells, and dispatches it to the streams."""

    def __init__(
        self,
        tail: EventTail,
        history: History,
        hub: Hub,
        hydrator: Hydrator,
        metrics: LiveMetrics,
        forgotten: Callable[[Iterable[int]], None],
    ) -> None:
        self._forgotten = forgotten
        self._tail = tail
        self._history = history
        self._hub = hub
        self._hydrator = hydrator
        self._metrics = metrics
        self._changes = TweetChanges(hydrator.forget_tweets, hydrator.viewers.shelf.forget)
        self._told = asyncio.Event()
        self._caught_up = False

    async def run(self) -> None:
        """Follow Tweet's log for ever."""
        async with contextlib.aclosing(self._tail.stretches()) as stretches:
            async for stretch in stretches:
                await self._take(stretch)

    async def reached(self, position: Position, seconds: float) -> bool:
        """Wait until the log has been read, and up to a position; whether it came to that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._caught_up or self._history.position < position:
                    await self._told.wait()
                return True
        return False

    async def _take(self, stretch: Stretch) -> None:
        if not stretch.continuous:
            self._restart(stretch)
        told = told_by(stretch.events)
        records = [record for each in told if (record := _record(*each)) is not None]
        deleted = [record.tweet_id for record in records if record.deleted]
        self._history.deleted.update(deleted)
        self._changes.take([payload for _, payload in told])
        self._forgotten(deleted_tweets(stretch.events))
        await self._prefetch(records)
        # From here on without a pause: a stream that attaches is told of all behind `position`.
        self._history.add(records, stretch.position)
        self._hub.dispatch(records)
        if self._caught_up:
            self._observe(records)
        self._caught_up = self._caught_up or self._tail.current
        self._metrics.history.set(len(self._history))
        self._told.set()
        self._told = asyncio.Event()

    def _restart(self, stretch: Stretch) -> None:
        self._hydrator.tweet_shelf.forget_all()
        self._hydrator.viewers.shelf.forget_all()
        since = stretch.position
        if stretch.events:
            first = stretch.events[0].cursor
            since = Position(first.xid, first.seq - 1)
        self._history.restart(since)
        self._caught_up = False
        self._hub.interrupt(since)

    def _observe(self, records: Sequence[Record]) -> None:
        now = time.time()
        for record in records:
            self._metrics.lag.observe(max(0.0, now - record.time_ms / 1000))

    async def _prefetch(self, records: Sequence[Record]) -> None:
        """Have the content at hand before hundreds of streams ask for it at once."""
        wanted = [r for r in records if not r.deleted and self._hub.listened([r.user_id])]
        if not wanted:
            return
        try:
            async with asyncio.timeout(PREFETCH_SECONDS):
                await self._hydrator.tweets([record.tweet_id for record in wanted])
                await self._hydrator.users({record.user_id for record in wanted})
        except (PeerError, ServiceError, TimeoutError) as error:
            log.info("content of new tweets is late", why=repr(error))


def changed_users(events: Sequence[Event]) -> set[int]:
    """Users who, or whose relations to others, are not what they were before these events."""
    changed: set[int] = set()
    for event in events:
        if event.kind in _BOTH:
            payload = _BOTH[event.kind].FromString(event.payload)
            changed |= {payload.user_id, payload.target_user_id}
        elif event.kind in _ACTOR:
            changed.add(_ACTOR[event.kind].FromString(event.payload).user_id)
        elif event.kind == "UserUpdated":
            changed.add(payload_pb2.UserUpdated.FromString(event.payload).user.user_id)
    return changed


def _record(event: Event, payload: Message) -> Record | None:
    """What a stream is told of; None for other events."""
    cursor, made = event.cursor, event.create_time.ToMilliseconds()
    if isinstance(payload, payload_pb2.TweetCreated):
        tweet = payload.tweet
        return Record(cursor.xid, cursor.seq, tweet.tweet_id, tweet.user_id, made, 0)
    if isinstance(payload, payload_pb2.TweetDeleted):
        return Record(cursor.xid, cursor.seq, payload.tweet_id, payload.user_id, made, 1)
    return None
