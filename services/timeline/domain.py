"""Entries of a home list, and what a part of a list proves about the rest of it.

A list holds entries of 17 bytes, big-endian: tweet id, author's id, one byte of flags; the latest
delivery is on the left. Because of the byte order, entries sort as their tweet ids do.

**The order proof.** A page may be cut from a part of the list only if nothing that belongs on it is
in the part that was not read. Deliveries may arrive late and in any order, so position alone proves
nothing. `floor_of` gives an id below which lies everything that the read part does not hold:

1. The list's last entry is the marker COMPLETE: nothing is missing, the floor is 0.
2. The last entry read is SETTLED. Settled entries were written at once, sorted, at the list's right
   end, and deliveries go to the left end: so all that lies to the right of it is settled and has
   smaller ids, and so has all that was trimmed away there. The floor is its own id.
3. Otherwise take any entry p that was read and is not marked LATE. Whatever lies to the right of p,
   or was trimmed away there, landed before p did. A tweet lands after it was made; p, not being
   late, was stamped at most LATE_MS after it was made and landed at most LANDING_MS after that (the
   worker drops lists of which it does not know that). With SKEW_MS for clocks that differ,
   everything unread was made before time(p) + LATE_MS + LANDING_MS + SKEW_MS; the oldest p gives
   the lowest floor.

   This holds while a list is being built, too: what only the builder adds was committed before the
   list existed, hence before p landed.

Ids from the floor on may be handed out; below it one reads more of the list, then SQL.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

ENTRY_BYTES = 17
REPLY, RETWEET, QUOTE, MEDIA, SENSITIVE, SETTLED, LATE = 1, 2, 4, 8, 16, 32, 64
"""Flags of an entry. SETTLED (the contract's "backfilled"): written in order, not delivered."""
LIST_LENGTH = 800
"""Entries of a list where the policy says nothing else."""
TRIM_SLACK = 50
"""A list may grow by this much before it is cut to length, so that one in 50 deliveries pays."""
LATE_MS = 2_000
LANDING_MS, SKEW_MS = 5_000, 1_000
"""Large on purpose: a busy machine must not make the worker drop lists, and all that a wide margin
costs is that a reader of 64 tweets in these seconds has the whole list read."""
TIME_SHIFT = 22
"""Bits of an id below its milliseconds."""
NOTHING_PROVEN = (1 << 63) - 1
_NO_TWEET = bytes(8)
_BUILDING, _COMPLETE = 128, 129
_FIELDS = struct.Struct(">QQB")
COMPLETE = _FIELDS.pack(0, 0, _COMPLETE)
"""Last entry of a list that holds everything there is; it also keeps an empty list in existence."""


Entry: TypeAlias = tuple[int, int, int]
"""An unpacked entry: tweet id, author's id, flags. A plain tuple, because reads make 20 each."""


class Span(NamedTuple):
    """Part of a timeline: at most `limit` tweets with `after` < id < `before`, newest first."""

    before: int
    after: int
    limit: int
    without: int = 0
    """Flags that exclude an entry."""

    @property
    def lowest(self) -> int:
        """The smallest id that the span can hold."""
        return self.after + 1


class Slice(NamedTuple):
    """What a span holds: every tweet of it with an id of at least `reached` is in `entries`."""

    entries: list[Entry]
    reached: int


def pack(tweet_id: int, user_id: int, flags: int) -> bytes:
    """The 17 bytes of an entry."""
    return _FIELDS.pack(tweet_id, user_id, flags)


def tweet_id_of(packed: bytes) -> int:
    """The tweet that an entry stands for."""
    return int.from_bytes(packed[:8])


def unpack(entries: Iterable[bytes]) -> Iterator[Entry]:
    """The same entries unpacked."""
    return _FIELDS.iter_unpack(b"".join(entries))


def split(packed: bytes) -> list[bytes]:
    """Entries that were joined."""
    return [packed[at : at + ENTRY_BYTES] for at in range(0, len(packed), ENTRY_BYTES)]


def building_marker(nonce: int) -> bytes:
    """Last entry of a list whose older part is being read from SQL."""
    return _FIELDS.pack(0, nonce, _BUILDING)


def is_building(entry: bytes) -> bool:
    """Whether it is a marker of a list under construction."""
    return entry[16] == _BUILDING and entry.startswith(_NO_TWEET)


def floor_of(window: Sequence[bytes]) -> int:
    """Whatever the timeline has beside this left part of its list has a smaller id than this.

    The reasoning is in the module's docstring.
    """
    last = window[-1]
    if last == COMPLETE:
        return 0
    if last[16] & SETTLED:
        return tweet_id_of(last)
    oldest = min((e for e in window if not e[16] & (LATE | _BUILDING)), default=None)
    if oldest is None:
        return NOTHING_PROVEN
    made_ms = tweet_id_of(oldest) >> TIME_SHIFT
    return (made_ms + LATE_MS + LANDING_MS + SKEW_MS + 1) << TIME_SHIFT


def select(entries: Sequence[bytes], span: Span, floor: int) -> list[Entry]:
    """Entries within the span and from the floor on: newest first, each tweet once."""
    ordered = sorted(entries)
    low = bisect_left(ordered, max(floor, span.lowest, 1).to_bytes(8))
    high = bisect_left(ordered, span.before.to_bytes(8))
    inside = ordered[low:high]
    inside.reverse()
    if not span.without:
        found = _distinct(inside[: span.limit])
        if len(found) == min(span.limit, len(inside)):
            return found
    found = _distinct(inside)
    return [entry for entry in found if not entry[2] & span.without][: span.limit]


def _distinct(ordered: list[bytes]) -> list[Entry]:
    """Unpacked entries; of doubles, which differ in LATE at most, one."""
    return list({entry[0]: entry for entry in unpack(ordered)}.values())


def settled(entries: Sequence[bytes], length: int = LIST_LENGTH) -> list[bytes]:
    """The same list in order: what it proves, sorted and marked, at most `length` entries.

    Empty where it proves less than half of what it holds: then reading SQL again is better.
    """
    floor = floor_of(entries)
    kept = select(entries, Span(NOTHING_PROVEN, 0, length), floor)
    if floor and len(kept) < len(entries) // 2:
        return []
    ordered = [pack(tweet, user, flags & ~LATE | SETTLED) for tweet, user, flags in kept]
    return [*ordered, COMPLETE] if floor == 0 and len(kept) < length else ordered


def backfill(rows: Sequence[bytes], length: int = LIST_LENGTH) -> list[bytes]:
    """Rows from SQL, newest first, as the right end of a list; fewer than `length` are all."""
    marked = [row[:16] + bytes([row[16] & ~LATE | SETTLED]) for row in rows[:length]]
    return marked if len(rows) >= length else [*marked, COMPLETE]
