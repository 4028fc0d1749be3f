"""Lists agree with the truth whatever comes in whatever order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aviary.events.v1.event_pb2 import Event
from services.chassis.snowflake import wall_clock_ms
from services.local.mesh import Mesh
from services.timeline import domain
from services.timeline.policy.domain import State

from .rig import Rig, open_rig
from .test_mend import VIEWER, ids_of, posts
from .world import World, created, followed, unfollowed

Step = tuple[str, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["post", "late post", "follow", "unfollow", "tweets", "follows", "read", "up", "down"]
        ),
        st.integers(1, 4),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(steps=steps, length=st.sampled_from([4, 20]))
async def test_lists_agree_with_the_truth(stores: Mesh, steps: list[Step], length: int) -> None:
    """Whatever is posted, followed and handled in whatever order, and whoever crosses the threshold
    meanwhile: what a list proves, it holds.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "TRIM_SLACK", 2)
        await agree(stores.redis_url, steps, length)


async def agree(redis_url: str, steps: list[Step], length: int) -> None:
    world, waiting = World(), {"tweets": list[Event](), "follows": list[Event]()}
    async with open_rig(redis_url, world, fresh_seconds=0.0) as rig:
        await rig.redis.flushall()
        rig.policy.change(list_length=length)
        world.follow(VIEWER, 1, 2, 3)
        for author in range(1, 5):
            posts(world, author, 3 * author)
        await rig.walk(VIEWER, [3])
        for step in [*steps, ("tweets", 0), ("follows", 0)]:
            await take(rig, world, waiting, *step)
        entries = await rig.entries(VIEWER)
        if entries:
            floor, there = domain.floor_of(entries), set(ids_of(entries))
            pushed = {i for i, t in world.tweets.items() if rig.policy.current.pushes(t.user_id)}
            assert {i for i in world.truth(VIEWER) if i >= floor} & pushed <= there
        rig.relations.forget_all()
        assert await rig.walk(VIEWER, [3]) == world.truth(VIEWER)


async def take(
    rig: Rig, world: World, waiting: dict[str, list[Event]], step: str, author: int
) -> None:
    if step in ("post", "late post"):
        at_ms = wall_clock_ms() - (90_000 if step == "late post" else 0)
        waiting["tweets"] += created(world.post(author, at_ms=at_ms))
    elif step == "follow":
        world.follow(VIEWER, author)
        waiting["follows"].append(followed(VIEWER, author))
    elif step == "unfollow":
        world.follows.discard((VIEWER, author))
        waiting["follows"].append(unfollowed(VIEWER, author))
    elif step == "tweets":
        await rig.fanout.handle(waiting[step])
        waiting[step].clear()
    elif step == "follows":
        await rig.mender.handle(waiting[step])
        waiting[step].clear()
    elif step in ("up", "down"):
        await cross(rig, world, author, up=step == "up")
    else:
        rig.relations.forget_all()
        await rig.walk(VIEWER, [3])


async def cross(rig: Rig, world: World, author: int, *, up: bool) -> None:
    """One more step through the registry."""
    states = dict(rig.policy.current.states)
    state = states.get(author)
    if up and state is State.ENTERING:
        await rig.ring_lists.drop([author])
        states[author] = State.PULLED
    elif up and state is not State.PULLED:
        states[author] = State.ENTERING
    elif not up and state is State.LEAVING:
        await rig.mender.merge(
            {user for user, target in world.follows if target == author}, [author]
        )
        del states[author]
    elif not up and state:
        states[author] = State.LEAVING
    rig.policy.change(states=states, pulled=frozenset(states))
