"""Rules of many viewers: complete, each one's own, and never behind."""

from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE, SURFACE_MESSAGE, SURFACE_SEARCH

from .questions import rules
from .test_mutes import moment
from .world import World, unpack


async def test_rules_end_with_the_first_mute_that_acts_there(world: World) -> None:
    viewer, a, b, c, d = await world.users("viewer", "a", "b", "c", "d")
    soon, later = moment(3600), moment(7200)
    await world.mute(viewer, a, expire_time=later)
    await world.mute(viewer, b, surfaces=[SURFACE_SEARCH], expire_time=soon)
    await world.mute(viewer, c)
    await world.mute(viewer, d, expire_time=moment(9000))
    for surface, expected in ((SURFACE_HOME_TIMELINE, later), (SURFACE_SEARCH, soon)):
        (told,) = await rules(world, viewer, surface=surface)
        assert told.expire_time == expected
    (told,) = await rules(world, viewer, surface=SURFACE_MESSAGE)
    assert not told.HasField("expire_time")
    assert unpack(told.hidden_ids) == []


async def test_rules_of_many_viewers_are_each_ones_own(world: World) -> None:
    a, b, c = await world.users("a", "b", "c")
    await world.import_follows([(a, b), (b, a), (a, c), (c, b)])
    await world.mute(a, b)
    await world.block(c, a)  # ends that follow
    told = await rules(world, c, a, 77, b, a, mutual=True)
    assert [each.user_id for each in told] == [c, a, 77, b, a]
    assert [unpack(each.following_ids) for each in told] == [[b], [b], [], [a], [b]]
    assert [unpack(each.mutual_ids) for each in told] == [[], [b], [], [a], [b]]
    assert [unpack(each.hidden_ids) for each in told] == [
        [a],
        sorted([b, c]),
        [],
        [],
        sorted([b, c]),
    ]
    assert not any(each.mutual_ids for each in await rules(world, a, b))


async def test_rules_show_every_change_at_once(world: World) -> None:
    a, b = await world.users("a", "b")

    async def now() -> tuple[list[int], list[int], list[int]]:
        (told,) = await rules(world, a)
        return (
            unpack(told.following_ids),
            unpack(told.hidden_ids),
            unpack(told.hidden_retweeter_ids),
        )

    await world.follow(a, b)
    assert await now() == ([b], [], [])
    await world.update_follow(a, b, show_retweets=False)
    assert await now() == ([b], [], [b])
    await world.mute(a, b)
    assert await now() == ([b], [b], [])
    await world.unmute(a, b)
    await world.block(b, a)
    assert await now() == ([], [b], [])
    await world.unblock(b, a)
    assert await now() == ([], [], [])
