"""Who is to be told what: open streams by the authors whom their users follow."""

import asyncio
import time
from collections.abc import Iterable, Sequence

import structlog

from clients.errors import PeerError
from clients.tail import Position
from services.chassis.errors import QuotaExceededError, ServiceError

from ..relations import Relations, RelationsCache
from .history import Record
from .metrics import LiveMetrics
from .outlet import Outlet

MAX_STREAMS = 5
"""Streams of one user at one replica."""
QUOTA_RETRY_SECONDS = 5.0
"""By then a host has noticed that a client has gone."""
REFRESH_TOGETHER = 256
REFRESH_PAUSE = 0.5
"""Seconds before asking again for relations that could not be had."""
SWEEP_SECONDS = 1.0
log = structlog.get_logger()


class Audience:
    """A user with open streams, and whose tweets they are told of."""

    __slots__ = ("authors", "outlets")

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        self.authors: frozenset[int] = frozenset()


class Hub:
    """Dispatches records; one look at a dictionary for each, however many streams are open."""

    def __init__(self, relations: RelationsCache, metrics: LiveMetrics) -> None:
        self._relations = relations
        self._metrics = metrics
        self._users: dict[int, Audience] = {}
        self._by_author: dict[int, set[Audience]] = {}
        self._counts: dict[int, int] = {}
        self._outlets: set[Outlet] = set()
        self._stale: set[int] = set()
        self._refresh = asyncio.Event()

    def admit(self, user_id: int) -> Outlet:
        """A new stream, which is told of nothing until it is attached.

        Raises QUOTA_EXCEEDED when the user has as many as allowed.
        """
        count = self._counts.get(user_id, 0)
        if count >= MAX_STREAMS:
            raise QuotaExceededError(
                quota="open streams", limit=MAX_STREAMS, retry_after=QUOTA_RETRY_SECONDS
            )
        outlet = Outlet(user_id, asyncio.current_task())
        self._counts[user_id] = count + 1
        self._outlets.add(outlet)
        self._metrics.open.inc()
        return outlet

    def attach(self, outlet: Outlet, relations: Relations) -> None:
        """From now on tell this stream what concerns its user."""
        audience = self._users.setdefault(outlet.user_id, Audience())
        audience.outlets.append(outlet)
        self._listen(audience, authors_of(relations))
        # They may have changed while nobody would have been told so: look once more.
        self.forget([outlet.user_id])

    def detach(self, outlet: Outlet) -> None:
        """Tell this stream nothing for now: it reads in the history."""
        outlet.reset()
        audience = self._users.get(outlet.user_id)
        if audience is not None and outlet in audience.outlets:
            audience.outlets.remove(outlet)
            if not audience.outlets:
                self._listen(audience, frozenset())
                del self._users[outlet.user_id]

    def leave(self, outlet: Outlet) -> None:
        """Forget a stream."""
        outlet.left()
        self.detach(outlet)
        self._outlets.discard(outlet)
        self._metrics.open.dec()
        self._metrics.closed.labels(outlet.why).inc()
        self._counts[outlet.user_id] -= 1
        if not self._counts[outlet.user_id]:
            del self._counts[outlet.user_id]

    def listened(self, user_ids: Iterable[int]) -> bool:
        """Whether any of these authors is followed by a user with a stream."""
        return any(user_id in self._by_author for user_id in user_ids)

    def dispatch(self, records: Sequence[Record]) -> None:
        """Tell every stream whose user follows the author, or is the author."""
        for record in records:
            for audience in self._by_author.get(record.user_id, ()):
                for outlet in audience.outlets:
                    outlet.put(record)

    def interrupt(self, since: Position) -> None:
        """Tell all attached streams that something before this position may be missing."""
        for audience in self._users.values():
            for outlet in audience.outlets:
                outlet.interrupt(since)

    def end_all(self, error: ServiceError, why: str) -> None:
        """End all streams."""
        for outlet in list(self._outlets):
            outlet.end(error, why)

    def forget(self, user_ids: Iterable[int]) -> None:
        """The relations of these users have changed."""
        self._stale.update(user_id for user_id in user_ids if user_id in self._users)
        if self._stale:
            self._refresh.set()

    def forget_all(self) -> None:
        """Anybody's relations may have changed."""
        self.forget(list(self._users))

    async def sweep(self) -> None:
        """End the streams whose clients do not read, for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for outlet in list(self._outlets):
                outlet.end_if_stalled(now)

    async def refresh(self) -> None:
        """Keep up with changed relations, for ever."""
        while True:
            await self._refresh.wait()
            self._refresh.clear()
            while self._stale:
                await self._refresh_some()

    async def _refresh_some(self) -> None:
        some = [self._stale.pop() for _ in range(min(REFRESH_TOGETHER, len(self._stale)))]
        found = await asyncio.gather(
            *(self._relations.get(user_id) for user_id in some), return_exceptions=True
        )
        for user_id, relations in zip(some, found, strict=True):
            audience = self._users.get(user_id)
            if isinstance(relations, Relations):
                if audience is not None:
                    self._listen(audience, authors_of(relations))
            elif isinstance(relations, PeerError | ServiceError):
                self._stale.add(user_id)
            else:
                raise relations
        if self._stale.intersection(some):
            log.info("relations of streams are out of date", users=len(self._stale))
            await asyncio.sleep(REFRESH_PAUSE)

    def _listen(self, audience: Audience, authors: frozenset[int]) -> None:
        for author in audience.authors - authors:
            listeners = self._by_author[author]
            listeners.remove(audience)
            if not listeners:
                del self._by_author[author]
        for author in authors - audience.authors:
            self._by_author.setdefault(author, set()).add(audience)
        audience.authors = authors


def authors_of(relations: Relations) -> frozenset[int]:
    """Whose tweets concern a user.

    Whether they are hidden is asked when they are shown: a mute may end by itself, unannounced.
    """
    return relations.following | {relations.user_id}
