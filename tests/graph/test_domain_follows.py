"""Settling commands, against the simplest model of relations: three sets of pairs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import ServiceError
from services.graph.domain_follows import Action, Command, Follow, Pair, Standing, page_of_ids
from services.graph.domain_settling import Settlement, settle

USERS = (1, 2, 3)
OPPOSITE = {"UserFollowed": 1, "UserUnfollowed": -1}
pairs = st.tuples(st.sampled_from(USERS), st.sampled_from(USERS)).filter(lambda p: p[0] != p[1])
flags = st.none() | st.booleans()
commands = st.builds(
    lambda action, pair, show, notify: Command(action, pair[0], pair[1], show, notify),
    st.sampled_from(Action),
    pairs,
    flags,
    flags,
)


class Model:
    """Relations as sets; every command in its plainest form."""

    def __init__(self, protected: dict[int, bool], requests: set[Pair], follows: set[Pair]) -> None:
        self.protected = protected
        self.requests, self.follows = set(requests), set(follows)
        self.blocks: set[Pair] = set()

    def carry_out(self, command: Command) -> str:
        """The reason of a refusal, or nothing."""
        a, b = pair = command.pair
        known = {a, b} <= self.protected.keys()
        there = pair in self.follows | self.requests
        match command.action:
            case Action.FOLLOW if not there:
                if not known:
                    return "USER_NOT_FOUND"
                if {(a, b), (b, a)} & self.blocks:
                    return "BLOCKED"
                (self.requests if self.protected[b] else self.follows).add(pair)
            case Action.UPDATE if not there:
                return "FOLLOW_NOT_FOUND"
            case Action.UNFOLLOW:
                self.follows.discard(pair)
                self.requests.discard(pair)
            case Action.ACCEPT:
                if not there:
                    return "FOLLOW_REQUEST_NOT_FOUND"
                self.requests.discard(pair)
                self.follows.add(pair)
            case Action.REJECT:
                self.requests.discard(pair)
            case Action.BLOCK:
                if not known:
                    return "USER_NOT_FOUND"
                self.blocks.add(pair)
                self.follows -= {(a, b), (b, a)}
                self.requests -= {(a, b), (b, a)}
            case Action.UNBLOCK:
                self.blocks.discard(pair)
        return ""


@given(
    st.dictionaries(st.sampled_from(USERS), st.booleans()),
    st.sets(pairs),
    st.sets(pairs),
    st.lists(commands, max_size=30),
)
def test_settlement_is_what_one_by_one_would_be(
    protected: dict[int, bool], before: set[Pair], waiting: set[Pair], todo: list[Command]
) -> None:
    waiting -= before
    protected = {user: False for pair in before | waiting for user in pair} | protected
    existing = {
        pair: Follow(*pair, follow_id=n, requested=pair in waiting)
        for n, pair in enumerate(before | waiting)
    }
    numbers = itertools.count(1000)
    settlement = settle(todo, Standing(protected, existing, set()), lambda: next(numbers))
    model = Model(protected, waiting, before)
    for command, result in zip(todo, settlement.results, strict=True):
        reason = model.carry_out(command)
        assert (result.reason if isinstance(result, ServiceError) else "") == reason
        if isinstance(result, Follow):
            assert result.pair in (model.requests if result.requested else model.follows)
            if command.action in (Action.FOLLOW, Action.UPDATE):
                assert command.show_retweets in (None, result.show_retweets)
                assert command.notify in (None, result.notify)
        elif not reason:
            assert command.action not in (Action.FOLLOW, Action.UPDATE, Action.ACCEPT)
    assert_states(settlement, model, waiting, before)


def assert_states(
    settlement: Settlement, model: Model, waiting: set[Pair], before: set[Pair]
) -> None:
    """What the settlement leaves is what the model holds; its counts and events add up to it."""
    requests, follows = set(waiting), set(before)
    for pair, follow in settlement.final.items():
        requests.discard(pair)
        follows.discard(pair)
        if follow:
            (requests if follow.requested else follows).add(pair)
    assert (requests, follows) == (model.requests, model.follows)
    assert {pair for pair, block_id in settlement.blocks.items() if block_id} == model.blocks
    for pair in model.blocks:
        assert not {pair, pair[::-1]} & (follows | requests)
    for user in USERS:
        following, followers = settlement.deltas.get(user, (0, 0))
        for place, delta in ((0, following), (1, followers)):
            assert delta == sum(p[place] == user for p in follows) - sum(
                p[place] == user for p in before
            )
    for pair in itertools.permutations(USERS, 2):
        steps = [
            OPPOSITE.get(change.happening.value, 0)
            for change in settlement.changes
            if (change.user_id, change.target_user_id) == pair
        ]
        assert sum(steps) == (pair in follows) - (pair in before)
    events = [change.event_id for change in settlement.changes]
    assert events == sorted(set(events))


@given(st.sets(st.integers(1, 50)), st.integers(0, 60), st.integers(1, 20))
def test_a_page_of_packed_ids(ids: set[int], after: int, limit: int) -> None:
    packed = b"".join(i.to_bytes(8, "big") for i in sorted(ids))
    page, following = page_of_ids(packed, after, limit)
    rest = [i for i in sorted(ids) if i > after]
    assert page == b"".join(i.to_bytes(8, "big") for i in rest[:limit])
    assert following == (rest[limit - 1] if len(rest) > limit else 0)
