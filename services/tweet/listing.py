"""Pages of an author's tweets, from the replica where it may answer, else from the primary."""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter

from .store.author_ids import AuthorIdStore, IdStretch, Query
from .store.replica import Replica, ReplicaAwayError


class ReplicaLists(NamedTuple):
    """The lists of a replica, and the replica's state."""

    ids: AuthorIdStore
    replica: Replica


class Asked(NamedTuple):
    """A page of ids: what of, what the page before said, and whether the primary must answer."""

    query: Query
    complete_ms: int
    newest: bool


class IdPage(NamedTuple):
    """A stretch of ids, and the instant (Unix ms) from before which its walk has seen all."""

    stretch: IdStretch
    complete_ms: int


class AuthorLists:
    """Reads pages of authors' tweets."""

    def __init__(
        self,
        primary: AuthorIdStore,
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

    async def ids(self, asked: Sequence[Asked]) -> list[IdPage]:
        """Pages of ids, in the order asked; a statement for each server that answers."""
        pages: dict[Asked, IdPage] = {}
        if replica := self._replica:
            able = [
                one
                for one in dict.fromkeys(asked)
                if not one.newest and replica.replica.may_answer(one.complete_ms)
            ]
            with contextlib.suppress(ReplicaAwayError):
                pages = await self._replica_ids(replica, able)
        left = [one for one in dict.fromkeys(asked) if one not in pages]
        if left:
            stretches = await self._primary.pages([one.query for one in left])
            self._from_primary.inc(len(left))
            now = self._clock_ms()
            pages |= {one: IdPage(found, now) for one, found in zip(left, stretches, strict=True)}
        return [pages[one] for one in asked]

    async def _replica_ids(self, source: ReplicaLists, asked: list[Asked]) -> dict[Asked, IdPage]:
        if not asked:
            return {}
        stretches = await source.replica.read(source.ids.pages([one.query for one in asked]))
        self._from_replica.inc(len(asked))
        found = zip(asked, stretches, strict=True)
        return {one: IdPage(stretch, one.complete_ms) for one, stretch in found}
