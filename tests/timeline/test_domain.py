"""The order proof against the truth, and the packing of entries."""

import random
from typing import NamedTuple

import pytest

from services.chassis import snowflake
from services.timeline import domain
from services.timeline.domain import LANDING_MS, LATE, LATE_MS, SETTLED, SKEW_MS, Span, pack

NOW = 10_000_000


class Landed(NamedTuple):
    """A home list after random deliveries, and every tweet that was made for it."""

    entries: list[bytes]
    everything: set[int]


def random_list(rng: random.Random, *, mark_late: bool = True) -> Landed:
    """A list as it comes about: a build at some moment, deliveries in any order, doubles, trims."""
    span_ms = rng.choice([500, 5_000, 60_000, 600_000])
    made = [
        (rng.randrange(span_ms) + NOW) << domain.TIME_SHIFT | n for n in range(rng.randint(1, 150))
    ]
    delays = rng.choice([(0, 50), (0, 1_900), (0, 10_000), (0, span_ms)])
    landings = []
    for tweet_id in made:
        for _ in range(rng.choice([1, 1, 1, 2])):
            made_ms = tweet_id >> domain.TIME_SHIFT
            stamped = made_ms + rng.randint(*delays)
            late = LATE if mark_late and stamped - made_ms > LATE_MS else 0
            landings.append(
                (stamped + rng.randrange(LANDING_MS + SKEW_MS), pack(tweet_id, 1, late), made_ms)
            )
    landings.sort(key=lambda landing: landing[0])
    built_ms = NOW + rng.randrange(-1, span_ms)
    known = sorted({entry[:16] for _, entry, made_ms in landings if made_ms <= built_ms})
    length = rng.choice([10, 40, 800])
    entries = [row + bytes([SETTLED]) for row in reversed(known)][:length]
    if len(known) < length:
        entries.append(domain.COMPLETE)
    for landed_ms, entry, _ in landings:
        if landed_ms > built_ms:
            entries.insert(0, entry)
            if len(entries) > length + 5:
                del entries[length:]
    return Landed(entries, set(made))


def violations(landed: Landed) -> int:
    """Windows of which the floor is too low: something above it is not in them."""
    wrong = 0
    longest = len(landed.entries)
    for size in {*range(1, longest, 1 + longest // 12), longest}:
        window = landed.entries[:size]
        seen = {domain.tweet_id_of(entry) for entry in window}
        wrong += any(i >= domain.floor_of(window) for i in landed.everything - seen)
    return wrong


def test_the_floor_holds_for_a_thousand_delivery_orders() -> None:
    rng = random.Random(1)
    assert sum(violations(random_list(rng)) for _ in range(1_000)) == 0


def test_the_floor_needs_the_late_mark() -> None:
    """Negative control: without the mark the same orders break the proof."""
    rng = random.Random(1)
    assert sum(violations(random_list(rng, mark_late=False)) for _ in range(1_000)) > 50


def test_the_floor_proves_what_it_can() -> None:
    """Most windows in ordinary conditions prove all but their last few seconds."""
    minutes = [pack((NOW - n * 60_000) << domain.TIME_SHIFT, 1, 0) for n in range(64)]
    floor = domain.floor_of(minutes)
    assert [domain.tweet_id_of(e) >= floor for e in minutes] == [True] * 63 + [False]


def test_settled_lists_prove_everything_and_hold_the_same() -> None:
    rng = random.Random(2)
    kept = 0
    for _ in range(300):
        landed = random_list(rng)
        floor = domain.floor_of(landed.entries)
        entries = domain.settled(landed.entries)
        ids = [i for e in entries if (i := domain.tweet_id_of(e))]
        if entries:
            kept += 1
            assert ids == sorted((i for i in landed.everything if i >= floor), reverse=True)
            assert violations(Landed(entries, landed.everything)) == 0
    assert kept > 100


def test_selection_is_sorted_distinct_and_bounded() -> None:
    ids = [5, 9, 7, 9, 3, 8]
    window = [pack(i, 100 + i, LATE if i == 7 else 0) for i in ids] + [domain.COMPLETE]
    chosen = domain.select(window, Span(before=9, after=3, limit=10), floor=0)
    assert [entry[:2] for entry in chosen] == [(8, 108), (7, 107), (5, 105)]
    assert [e[0] for e in domain.select(window, Span(99, 0, 2), 0)] == [9, 8]
    assert [e[0] for e in domain.select(window, Span(99, 0, 9), 8)] == [9, 8]
    assert [e[0] for e in domain.select(window, Span(99, 0, 9, LATE), 0)] == [9, 8, 5, 3]


def test_entries_are_17_bytes_as_the_contract_says() -> None:
    entry = pack(1, 2, domain.REPLY | domain.MEDIA)
    assert entry == bytes(7) + b"\x01" + bytes(7) + b"\x02" + b"\x09"
    assert len(domain.COMPLETE) == len(domain.building_marker(1)) == domain.ENTRY_BYTES == 17
    assert domain.split(entry * 3) == [entry] * 3


@pytest.mark.parametrize("rows", [0, 1, 799, 800, 900])
def test_a_backfill_says_whether_it_is_all(rows: int) -> None:
    entries = domain.backfill([pack(1000 - n, 1, LATE) for n in range(rows)])
    assert (entries[-1] == domain.COMPLETE) == (rows < 800)
    assert len(entries) <= 800
    assert all(e[16] == SETTLED for e in entries if e != domain.COMPLETE)


def test_time_is_where_the_ids_have_it() -> None:
    assert snowflake.unix_ms_of(7 << domain.TIME_SHIFT) == snowflake.EPOCH_MS + 7
