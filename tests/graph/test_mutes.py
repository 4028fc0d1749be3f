"""Mutes: where and for how long."""

import time
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from aviary.graph.v1.visibility_pb2 import (
    SURFACE_HOME_TIMELINE,
    SURFACE_NOTIFICATION,
    SURFACE_SEARCH,
    SURFACE_TWEET,
    SURFACE_UNSPECIFIED,
)
from services.graph.store.expiry import sweep

from .world import World, refused


def moment(seconds: float) -> Timestamp:
    """So many seconds from now."""
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return made


async def test_a_mute_is_what_was_asked_for(world: World) -> None:
    ann, bob = await world.users("ann", "bob")
    until = moment(3600)
    mute = await world.mute(
        ann, bob, surfaces=[SURFACE_SEARCH, SURFACE_HOME_TIMELINE], expire_time=until
    )
    assert mute.user.user_name == "bob"
    assert list(mute.surfaces) == [SURFACE_HOME_TIMELINE, SURFACE_SEARCH]
    assert mute.expire_time == until
    assert abs(mute.create_time.ToSeconds() - time.time()) < 60
    same = [SURFACE_HOME_TIMELINE, SURFACE_SEARCH, SURFACE_SEARCH]
    assert await world.mute(ann, bob, surfaces=same, expire_time=until) == mute
    assert await world.events() == [("UserMuted", ann, bob)]
    everywhere = await world.mute(ann, bob)
    assert not everywhere.surfaces
    assert not everywhere.HasField("expire_time")
    assert await world.whole("mutes", ann) == [bob]
    assert await world.whole("mutes", bob) == []
    await world.unmute(ann, bob)
    await world.unmute(ann, bob)
    assert await world.whole("mutes", ann) == []
    assert await world.events() == [
        ("UserMuted", ann, bob),
        ("UserMuted", ann, bob),
        ("UserUnmuted", ann, bob),
    ]


async def test_a_mute_leaves_follows_alone(world: World) -> None:
    ann, bob = await world.users("ann", "bob")
    await world.follow(ann, bob)
    await world.mute(ann, bob)
    assert await world.whole("following", ann) == [bob]
    await world.follow(bob, ann)
    assert await world.whole("followers", ann) == [bob]


async def test_an_expired_mute_is_none(world: World) -> None:
    ann, bob, cat = await world.users("ann", "bob", "cat")
    first = await world.mute(ann, bob, expire_time=moment(3600))
    await world.mute(ann, cat, expire_time=moment(7200))
    await world.sql(
        "UPDATE mutes SET expire_time = now() - interval '1 s' WHERE target_user_id = %s", bob
    )
    assert await world.whole("mutes", ann) == [cat]
    await world.unmute(ann, bob)  # there is none to lift
    assert len(await world.events()) == 2
    assert await world.sql("SELECT count(*) FROM mutes") == [(2,)]
    assert await sweep(world.pool) == 1
    assert await world.sql("SELECT target_user_id FROM mutes") == [(cat,)]
    again = await world.mute(ann, bob, expire_time=first.expire_time)
    assert again.expire_time == first.expire_time
    assert await world.whole("mutes", ann) == [bob, cat]


async def test_bad_mutes_are_refused(world: World) -> None:
    ann, bob = await world.users("ann", "bob")
    with refused("SELF_FOLLOW", field="target_user_id"):
        await world.mute(ann, ann)
    with refused("USER_NOT_FOUND", user_id="77"):
        await world.mute(ann, 77)
    for surface in (SURFACE_UNSPECIFIED, SURFACE_TWEET):
        with refused("INVALID_ARGUMENT", field="surfaces"):
            await world.mute(ann, bob, surfaces=[SURFACE_NOTIFICATION, surface])
    wrong = [moment(-1), Timestamp(), Timestamp(seconds=1 << 60), Timestamp(seconds=-1 << 60)]
    for expire_time in (*wrong, Timestamp(seconds=1 << 35, nanos=-1)):
        with refused("INVALID_ARGUMENT", field="expire_time"):
            await world.mute(ann, bob, expire_time=expire_time)
    await world.unmute(ann, 77)
    assert await world.events() == []
    assert await world.whole("mutes", ann) == []
    last = datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (await world.mute(ann, bob, expire_time=last)).expire_time.ToDatetime(UTC) == last
