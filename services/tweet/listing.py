"""Pages of an author's tweets, from the replica where it may answer, else from the primary."""

from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter

from .domain import Kinds, Span
from .store.lists import ListStore, Stretch
from .store.replica import Replica, ReplicaAwayError


class ReplicaLists(NamedTuple):
    """The lists of a replica, and the replica's state."""

    lists: ListStore
    replica: Replica


class AuthorPage(NamedTuple):
    """A stretch, and the instant (Unix ms) from before which its walk has seen everything."""

    stretch: Stretch
    complete_ms: int


class AuthorLists:
    """Reads pages of authors' tweets."""

    def __init__(
        self,
        primary: ListStore,
        replica: ReplicaLists | None,
        registry: CollectorRegistry,
        clock_ms: Callable[[], int],
    ) -> None:
        self._primary = primary
        self._replica = replica
        self._clock_ms = clock_ms
        reads = Counter(
            "aviary_tweet_author_list_reads",
            "Pages of authors' tweets, by the server that answered",
            ["source"],
            registry=registry,
        )
        self._from_primary, self._from_replica = reads.labels("primary"), reads.labels("replica")

    async def page(
        self, author_id: int, span: Span, kinds: Kinds, complete_ms: int, *, newest: bool = False
    ) -> AuthorPage:
        """The newest part of a span; `complete_ms` is what the page before said (0: the first).

        `newest` asks for what the author has posted this very moment: the primary knows.
        """
        replica = None if newest else self._replica
        if replica is not None and replica.replica.may_answer(complete_ms):
            reading = replica.lists.of_author(author_id, span, kinds)
            try:
                stretch = await replica.replica.read(reading)
            except ReplicaAwayError:
                pass
            else:
                self._from_replica.inc()
                return AuthorPage(stretch, complete_ms)
        stretch = await self._primary.of_author(author_id, span, kinds)
        self._from_primary.inc()
        return AuthorPage(stretch, self._clock_ms())
