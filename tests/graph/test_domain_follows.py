"""Settling commands, against the simplest model of following: a set of pairs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import ServiceError
from services.graph.domain_follows import Action, Command, Follow, page_of_ids, settle

USERS = (1, 2, 3)
pairs = st.tuples(st.sampled_from(USERS), st.sampled_from(USERS)).filter(lambda p: p[0] != p[1])
flags = st.none() | st.booleans()
commands = st.builds(
    lambda action, pair, show, notify: Command(action, pair[0], pair[1], show, notify),
    st.sampled_from(Action),
    pairs,
    flags,
    flags,
)


@given(st.sets(pairs), st.lists(commands, max_size=30), st.sets(st.sampled_from(USERS)))
def test_settlement_is_what_one_by_one_would_be(
    before: set[tuple[int, int]], todo: list[Command], strangers: set[int]
) -> None:
    known = (set(USERS) - strangers) | {user for pair in before for user in pair}
    existing = {pair: Follow(*pair, follow_id=n) for n, pair in enumerate(before)}
    numbers = itertools.count(1000)
    settlement = settle(todo, existing, known, lambda: next(numbers))
    model = set(before)
    for command, result in zip(todo, settlement.results, strict=True):
        pair = command[1:3]
        if command.action is Action.FOLLOW and set(pair) <= known:
            model.add(pair)
        if command.action is Action.UNFOLLOW:
            model.discard(pair)
        if isinstance(result, Follow):
            assert pair in model
            assert command.show_retweets in (None, result.show_retweets)
            assert command.notify in (None, result.notify)
        elif isinstance(result, ServiceError):
            assert command.action is not Action.UNFOLLOW
            assert pair not in model
        else:
            assert command.action is Action.UNFOLLOW
    after = set(before)
    for pair, follow in settlement.final.items():
        after.discard(pair)
        after |= {pair} if follow else set()
    assert after == model
    for user in USERS:
        following, followers = settlement.deltas.get(user, (0, 0))
        for place, delta in ((0, following), (1, followers)):
            assert delta == sum(p[place] == user for p in model) - sum(
                p[place] == user for p in before
            )
    events = [change.event_id for change in settlement.changes]
    assert events == sorted(set(events))


@given(st.sets(st.integers(1, 50)), st.integers(0, 60), st.integers(1, 20))
def test_a_page_of_packed_ids(ids: set[int], after: int, limit: int) -> None:
    packed = b"".join(i.to_bytes(8, "big") for i in sorted(ids))
    page, following = page_of_ids(packed, after, limit)
    rest = [i for i in sorted(ids) if i > after]
    assert page == b"".join(i.to_bytes(8, "big") for i in rest[:limit])
    assert following == (rest[limit - 1] if len(rest) > limit else 0)
