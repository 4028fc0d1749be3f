"""What a replica knows of its viewers: asked once, and again when it has changed."""

import asyncio
from collections.abc import Iterable

import grpc
import pytest

from aviary.graph.v1.graph_service_pb2 import ViewerRules
from clients.errors import PeerError
from services.timeline.relations import ATTEMPTS, KEEP_SECONDS, RelationsCache

from .world import World, packed

VIEWER, A, B, C = 10, 20, 30, 40


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Slow(World):
    """Follows that change while Graph is being asked."""

    changing: RelationsCache | None = None

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int, mutual: bool = False
    ) -> dict[int, ViewerRules]:
        found = await super().viewer_rules(user_ids, surface=surface, mutual=mutual)
        if self.changing:
            self.follow(VIEWER, 1_000 + self.calls["rules"])
            self.changing.forget([VIEWER])
        return found


async def test_concurrent_readers_are_one_question(world: World) -> None:
    world.follow(VIEWER, A)
    world.follow(A, B, C)
    cache = RelationsCache(world)
    found = await asyncio.gather(*(cache.get(user) for user in [VIEWER, A] * 20))
    assert world.calls["rules"] <= 2
    assert {one.user_id: one.following for one in found} == {VIEWER: {A}, A: {B, C}}
    await cache.get(VIEWER)
    assert world.calls["rules"] <= 2


async def test_what_changes_is_asked_again(world: World) -> None:
    world.follow(VIEWER, A)
    cache = RelationsCache(world)
    assert (await cache.get(VIEWER)).shown == {VIEWER, A}
    world.follow(VIEWER, B)
    world.hidden.add((VIEWER, A))
    assert (await cache.get(VIEWER)).shown == {VIEWER, A}
    cache.forget([VIEWER, 99])
    assert (await cache.get(VIEWER)).shown == {VIEWER, B}
    world.follows.clear()
    cache.forget_all()
    assert (await cache.get(VIEWER)).shown == {VIEWER}


async def test_what_changes_while_it_is_read_is_not_kept() -> None:
    world = Slow()
    world.follow(VIEWER, A)
    world.changing = cache = RelationsCache(world)
    assert A in (await cache.get(VIEWER)).following  # at last it takes what it got
    assert world.calls["rules"] == ATTEMPTS
    world.changing = None
    latest = await cache.get(VIEWER)
    assert latest.following == {target for _, target in world.follows}


async def test_a_minute_and_a_mutes_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wall = Clock(), Clock()
    cache = RelationsCache(world, clock=clock, wall=wall)

    async def rules(_: Iterable[int], **__: object) -> dict[int, ViewerRules]:
        world.calls["rules"] += 1
        rule = ViewerRules(user_id=VIEWER, hidden_ids=packed([A]))
        rule.expire_time.FromMilliseconds(1_030_000)
        return {VIEWER: rule}

    monkeypatch.setattr(world, "viewer_rules", rules)
    await cache.get(VIEWER)
    clock.now += 29
    await cache.get(VIEWER)
    assert world.calls["rules"] == 1
    clock.now += 2
    await cache.get(VIEWER)
    assert world.calls["rules"] == 2
    monkeypatch.undo()
    await cache.get(A)
    clock.now += KEEP_SECONDS - 1
    await cache.get(A)
    assert world.calls["rules"] == 3
    clock.now += 2
    await cache.get(A)
    assert world.calls["rules"] == 4


async def test_graph_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is known is served on, however old that is; about others nothing can be said."""
    clock = Clock()
    world.follow(VIEWER, A)
    cache = RelationsCache(world, clock=clock)
    await cache.get(VIEWER)

    async def away(_: Iterable[int], **__: object) -> dict[int, ViewerRules]:
        raise PeerError("graph", grpc.StatusCode.UNAVAILABLE, "away", None)

    monkeypatch.setattr(world, "viewer_rules", away)
    clock.now += 10 * KEEP_SECONDS
    assert (await cache.get(VIEWER)).following == {A}
    with pytest.raises(PeerError, match="away"):
        await cache.get(A)


async def test_the_cache_is_bounded_by_what_is_followed(world: World) -> None:
    for viewer in range(100, 200):
        world.follow(viewer, *range(1_000, 1_100))
    cache = RelationsCache(world, max_ids=3_000)
    for viewer in range(100, 200):
        await cache.get(viewer)
    assert world.calls["rules"] == 100
    await cache.get(199)
    assert world.calls["rules"] == 100
    await cache.get(100)
    assert world.calls["rules"] == 101
