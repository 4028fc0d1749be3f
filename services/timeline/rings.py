"""Rings: the newest tweets of authors who are pulled, merged into what their followers read.

A ring is a list of one author's entries, with the same markers and the same proof of its order as a
home list (`domain`), and it is built from SQL when somebody first needs it. It holds all of the
author's tweets, those that were pushed as well: whoever merges it misses nothing, whenever the
author came to be pulled. Many readers share one, so a process keeps what it read for a moment.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Sequence
from heapq import nlargest
from itertools import chain
from typing import NamedTuple

from services.chassis.shelf import Shelf

from . import domain
from .domain import Entry, Slice, Span
from .rebuild import Builds
from .store import Lists

FRESH_SECONDS = 0.4
"""How long a ring is kept: its author's tweets must be readable within a second."""
WINDOW = 64
"""Entries read of a ring at first; whoever pages deeper has the whole ring read."""
MAX_RINGS = 20_000
BUILDS_AT_ONCE = 32
"""Rings built while readers wait, some 5 ms each."""


class Ring(NamedTuple):
    """What was read of a ring: distinct packed entries, ascending, and the floor they prove."""

    entries: list[bytes]
    floor: int
    whole: bool

    @property
    def in_order(self) -> bool:
        """Whether all that was read is proven."""
        return not self.entries or self.floor <= domain.tweet_id_of(self.entries[0])

    def part(self, span: Span) -> "Part":
        """What the ring has of a span."""
        low = bisect_left(self.entries, max(self.floor, span.lowest, 1).to_bytes(8))
        high = bisect_left(self.entries, span.before.to_bytes(8))
        found = self.entries[max(low, high - span.limit) : high]
        if span.without:
            inside = self.entries[low:high]
            found = [entry for entry in inside if not entry[16] & span.without][-span.limit :]
        full = len(found) == span.limit
        return Part(found, domain.tweet_id_of(found[0]) if full else max(self.floor, span.lowest))


class Part(NamedTuple):
    """Packed entries of one ring within a span, and down to which id they are all."""

    entries: list[bytes]
    reached: int


UNPROVEN = Ring([], domain.NOTHING_PROVEN, whole=True)
"""A ring of which nothing is known."""


class Rings:
    """Reads rings for all requests in flight."""

    def __init__(self, lists: Lists, builds: Builds, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._lists = lists
        self._builds = builds
        self._shallow = Shelf("rings", self._load, MAX_RINGS, fresh_seconds)
        self._deep = Shelf("whole rings", self._load_whole, MAX_RINGS, fresh_seconds)

    async def merge(self, found: Slice, span: Span, authors: Sequence[int]) -> Slice:
        """A stretch of a home list with what these authors' rings hold of the same span."""
        found_rings = await self._shallow.get_many(authors)
        rings = [ring or UNPROVEN for ring in found_rings]
        chosen = _chosen(list(zip(authors, rings, strict=True)), span)
        parts = {author: ring.part(span) for author, ring in chosen}
        lowest = _merged(found, parts.values(), span, ignore=True).reached
        short = []
        for author, ring in chosen:
            if parts[author].reached > lowest and not ring.whole:
                short.append(author)
                if not ring.in_order:
                    self._builds.settle_soon(author)
        if short:
            whole = await self._deep.get_many(short)
            for author, whole_ring in zip(short, whole, strict=True):
                parts[author] = (whole_ring or UNPROVEN).part(span)
        return _merged(found, parts.values(), span)

    async def _load(self, authors: list[int]) -> dict[int, Ring]:
        windows = await self._lists.windows([(author, WINDOW) for author in authors])
        rings, absent = {}, []
        for author, window in zip(authors, windows, strict=True):
            if not window or domain.is_building(window[-1]):
                absent.append(author)
                continue
            rings[author] = _ring(window, whole=len(window) < WINDOW)
        # All who read now wait for these few. Of the others nothing is known this time, so that
        # their readers go to SQL.
        return rings | await self._load_whole(absent[:BUILDS_AT_ONCE])

    async def _load_whole(self, authors: list[int]) -> dict[int, Ring]:
        found = await asyncio.gather(*map(self._builds.ready, authors[:BUILDS_AT_ONCE]))
        return {
            author: _ring(entries, whole=True)
            for author, entries in zip(authors, found, strict=False)
        }


def _ring(window: list[bytes], *, whole: bool) -> Ring:
    by_id = {domain.tweet_id_of(entry): entry for entry in window}
    by_id.pop(0, None)  # the marker
    return Ring(sorted(by_id.values()), domain.floor_of(window), whole)


def _chosen(rings: list[tuple[int, Ring]], span: Span) -> list[tuple[int, Ring]]:
    """Those of many rings that can have a part in a page: few, however many are followed.

    A page of `limit` tweets can only hold tweets of the `limit` rings whose newest tweet in the
    span is newest. Of the others it is known that they have nothing newer than theirs; rings of
    which no tweet in the span was read prove nothing and stay.
    """
    if len(rings) <= span.limit or span.without:
        return rings
    before = span.before.to_bytes(8)
    newest: list[tuple[bytes, int]] = []
    chosen = []
    for at, (_, ring) in enumerate(rings):
        high = bisect_left(ring.entries, before)
        if high and domain.tweet_id_of(ring.entries[high - 1]) >= ring.floor:
            newest.append((ring.entries[high - 1], at))
        else:
            chosen.append(rings[at])
    return chosen + [rings[at] for _, at in nlargest(span.limit, newest)]


def _merged(found: Slice, parts: Collection[Part], span: Span, *, ignore: bool = False) -> Slice:
    """The newest entries of all; below what one of the sources reached nothing is handed out.

    With `ignore`, as if every ring reached as far as the home list.
    """
    reached = found.reached
    if not ignore:
        reached = max(reached, max((part.reached for part in parts), default=0))
    newest = nlargest(span.limit, chain.from_iterable(part.entries for part in parts))
    entries: dict[int, Entry] = {entry[0]: entry for entry in domain.unpack(newest)}
    entries.update((entry[0], entry) for entry in found.entries)
    ordered = sorted((entry for entry in entries.values() if entry[0] >= reached), reverse=True)
    if len(ordered) >= span.limit:
        ordered = ordered[: span.limit]
        reached = ordered[-1][0]
    return Slice(ordered, reached)
