"""Walk equals truth: any page sizes under churn, faults and changes of policy, with shrinking.

Hypothesis makes up a history: posts that are delivered soon, late, twice or only much later;
deletes, follows, mutes; authors who cross the pull threshold either way; lists that are flushed,
cut, dropped or rebuilt; and pages of a walk in the middle of it all. Whatever it was:

- a walk is strictly in the order of ids, so nothing is repeated;
- what was delivered and belonged in the timeline all the time is on it, what never did is not;
- when everything has been delivered, every walk equals the truth.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import wall_clock_ms
from services.timeline.policy.domain import State
from services.timeline.store import RING, key_of

from .rig import Rig, open_rig
from .world import World, followed, unfollowed

VIEWER, STRANGER = 10, 99
AUTHORS = (20, 21, 22, 23)
AGES_MS = (0, 500, 2_500, 20_000, 3_600_000)
Step: TypeAlias = tuple[str, int]
ALWAYS = (*("post", "page") * 3, *("cross",) * 3)
SOMETIMES = (
    "hold", "deliver", "again", "delete", "follow", "unfollow", "mute", "flush", "trim", "drop",
    "rebuild", "shorten",
)  # fmt: skip
"""Each history takes some of these only: what wipes lists out would hide most of the others."""
NEXT_STATE = {
    None: State.ENTERING,
    State.ENTERING: State.PULLED,
    State.PULLED: State.LEAVING,
    State.LEAVING: None,
}


class Walk:
    """A walk under way, and what may and must be on it."""

    def __init__(self, may: set[int], must: set[int]) -> None:
        self.may, self.must = set(may), set(must)
        self.found: list[int] = []
        self.token = ""

    def see(self, may: set[int], must: set[int]) -> None:
        self.may |= may
        self.must &= must

    def check(self) -> None:
        assert self.found == sorted(set(self.found), reverse=True)
        assert self.must <= set(self.found) <= self.may


class History:
    """What has happened, step by step; `number` of a step chooses among whatever there is."""

    def __init__(self, rig: Rig, world: World) -> None:
        self.rig = rig
        self.world = world
        self.held: list[Tweet] = []
        self.posted: list[Tweet] = []
        self.walk = self.new_walk()

    def new_walk(self) -> Walk:
        return Walk(*self.now())

    def now(self) -> tuple[set[int], set[int]]:
        truth = set(self.world.truth(VIEWER))
        return truth, truth - {tweet.tweet_id for tweet in self.held}

    async def take(self, step: Step) -> None:
        name, number = step
        action: Callable[[int], Awaitable[None]] = getattr(self, name)
        await action(number)
        self.walk.see(*self.now())

    def make(self, number: int) -> Tweet:
        rng = random.Random(number)
        author = rng.choice((*AUTHORS, VIEWER))
        fields: dict[str, object] = {}
        kind = rng.random()
        if kind < 0.3 and self.posted:
            parent = rng.choice(self.posted)
            fields["in_reply_to_tweet_id"] = parent.tweet_id
            fields["in_reply_to_user_id"] = parent.user_id
        elif kind < 0.45:
            fields["retweeted_status"] = Tweet(tweet_id=7, user_id=rng.choice((20, STRANGER)))
        at_ms = wall_clock_ms() - rng.choice(AGES_MS)
        tweet = self.world.post(author, at_ms=at_ms, **fields)
        self.posted.append(tweet)
        return tweet

    async def post(self, number: int) -> None:
        await self.rig.deliver(self.make(number))

    async def hold(self, number: int) -> None:
        self.held.append(self.make(number))

    async def deliver(self, number: int) -> None:
        random.Random(number).shuffle(self.held)
        await self.rig.deliver(*self.held)
        self.held = []

    async def again(self, number: int) -> None:
        await self.rig.deliver(*self.posted[number % 7 :: 7])
        self.held = [t for t in self.held if t not in self.posted[number % 7 :: 7]]

    async def delete(self, number: int) -> None:
        if self.world.tweets:
            self.world.tweets.pop(sorted(self.world.tweets)[number % len(self.world.tweets)])

    async def follow(self, number: int) -> None:
        target = AUTHORS[number % len(AUTHORS)]
        self.world.follow(VIEWER, target)
        await self.rig.tell(followed(VIEWER, target))

    async def unfollow(self, number: int) -> None:
        target = AUTHORS[number % len(AUTHORS)]
        self.world.follows.discard((VIEWER, target))
        await self.rig.tell(unfollowed(VIEWER, target))

    async def mute(self, number: int) -> None:
        self.world.hidden ^= {(VIEWER, AUTHORS[number % len(AUTHORS)])}
        self.rig.relations.forget([VIEWER])

    async def cross(self, number: int) -> None:
        """One author's next state, with what the worker does on the way."""
        author = AUTHORS[number % 2]
        states = dict(self.rig.policy.current.states)
        state = NEXT_STATE[states.pop(author, None)]
        if state is State.PULLED:
            await self.rig.ring_lists.drop([author])
        if state is None:
            await self.rig.mender.merge([VIEWER], [author])
        else:
            states[author] = state
        self.rig.policy.change(states=states, pulled=frozenset(states))

    async def flush(self, _: int) -> None:
        await self.rig.redis.flushall()

    async def trim(self, number: int) -> None:
        key = key_of(VIEWER) if number % 2 else key_of(AUTHORS[number % 4], RING)
        await self.rig.redis.ltrim(key, 0, number % 30)

    async def drop(self, number: int) -> None:
        await self.rig.lists.drop([VIEWER])
        await self.rig.ring_lists.drop([AUTHORS[number % 4]])

    async def rebuild(self, _: int) -> None:
        await self.rig.builds.anew(VIEWER)

    async def shorten(self, number: int) -> None:
        self.rig.policy.change(list_length=(4, 20, 800)[number % 3])

    async def page(self, number: int) -> None:
        """One page of the walk under way; a new walk begins where one ends."""
        walk = self.walk
        size = number % 9 + 1
        page = await self.rig.home(VIEWER, page_size=size, page_token=walk.token)
        assert len(page.tweets) <= size
        walk.found += [tweet.tweet_id for tweet in page.tweets]
        walk.token = page.next_page_token
        if not walk.token:
            walk.check()
            self.walk = self.new_walk()


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    some = draw(st.lists(st.sampled_from(SOMETIMES), max_size=4, unique=True))
    step = st.tuples(st.sampled_from((*ALWAYS, *some)), st.integers(0, 10_000))
    return draw(st.lists(step, min_size=15, max_size=60))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories(), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
async def test_walk_equals_truth(redis_url: str, steps: list[Step], sizes: list[int]) -> None:
    world = World()
    world.follow(VIEWER, *AUTHORS[:3])
    world.user(STRANGER, *AUTHORS)
    async with open_rig(redis_url, world, fresh_seconds=0.0) as rig:
        await rig.redis.flushall()
        history = History(rig, world)
        await history.page(0)
        for step in steps:
            await history.take(step)
        await history.deliver(0)
        assert await rig.walk(VIEWER, sizes) == world.truth(VIEWER)
        assert await rig.walk(VIEWER) == world.truth(VIEWER)


@pytest.mark.parametrize("seed", range(2))
async def test_a_walk_of_5000(redis_url: str, seed: int) -> None:
    """The paging law where the walk is long, and things happen between its pages."""
    rng = random.Random(seed)
    world = World()
    world.follow(VIEWER, *AUTHORS)
    world.user(STRANGER)
    async with open_rig(redis_url, world, fresh_seconds=0.0) as rig:
        now = wall_clock_ms()
        for back in range(5_000):
            world.post(rng.choice(AUTHORS), at_ms=now - 10_000 * (5_000 - back))
        history = History(rig, world)
        before = history.walk
        while history.walk is before:
            for _ in range(3):
                await history.take((rng.choice((*ALWAYS, *SOMETIMES)), rng.randrange(10_000)))
            page = await rig.home(VIEWER, page_size=100, page_token=before.token)
            if history.walk is before:
                before.found += [tweet.tweet_id for tweet in page.tweets]
                before.token = page.next_page_token
                if not before.token:
                    break
        before.check()
        await history.deliver(0)
        assert await rig.walk(VIEWER, [100]) == world.truth(VIEWER)
