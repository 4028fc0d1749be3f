"""Follows that share a transaction: each event has the trace of its own caller."""

import asyncio

from clients.context import Origin, current

from .world import World


async def test_follows_that_are_committed_together(world: World) -> None:
    target, *users = await world.users("target", *(f"user{n}" for n in range(20)))
    await world.sql("DELETE FROM events RETURNING 1")

    async def follow(user_id: int) -> None:
        current.set(Origin(trace=(("traceparent", parent(user_id)),)))
        await world.follow(user_id, target)
        await world.mute(user_id, target)

    await asyncio.gather(*(follow(user_id) for user_id in users))
    rows = await world.sql(
        "SELECT kind, traceparent, user_id FROM events JOIN follows ON follow_id = event_id"
    )
    assert sorted(rows) == sorted(("UserFollowed", parent(user), user) for user in users)
    muted = await world.sql("SELECT traceparent FROM events WHERE kind = 'UserMuted'")
    assert sorted(muted) == sorted((parent(user),) for user in users)


def parent(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"
