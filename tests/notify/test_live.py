"""Live streams: bounded, cut off when nobody reads, ended when the replica goes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import pytest

from services.chassis.call import Call
from services.chassis.errors import DrainingError, QuotaExceededError
from services.chassis.events.log import Position
from services.chassis.events.wake import Wake
from services.notify import live
from services.notify.live import MAX_STREAMS, LiveHub, Source, Told

METHOD = "/aviary.notify.v1.NotifyService/StreamNotifications"
ME = 5


class Changes:
    """What is told to everybody, in order."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.reads = 0

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            number = len(self.told) + 1
            self.told.append(Told(b"notification", b'{"n":%d}' % number, Position(number, 1)))

    async def now(self) -> Position:
        return self.told[-1].position if self.told else Position(0, 0)

    async def changed(self, user_ids: Collection[int], after: Position) -> Collection[int]:
        return user_ids if await self.now() > after else ()

    async def read(self, _user: int, after: Position, limit: int) -> Sequence[Told]:
        self.reads += 1
        return [told for told in self.told if told.position > after][:limit]


@asynccontextmanager
async def hub(changes: Changes, draining: asyncio.Event) -> AsyncIterator[tuple[LiveHub, Wake]]:
    made, wake = LiveHub(Source("x", changes.now, changes.changed, changes.read), draining), Wake()
    tasks = [asyncio.create_task(made.run(wake)), asyncio.create_task(made.sweep())]
    try:
        yield made, wake
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def call() -> Call:
    return Call(METHOD, {}, None)


async def test_from_now_and_from_a_cursor() -> None:
    changes = Changes()
    changes.add(3)
    async with hub(changes, asyncio.Event()) as (made, wake):
        stream = made.stream(ME, "", call())
        assert b"id: 3.1" in await anext(stream)
        changes.add()
        wake.set()
        async with asyncio.timeout(5):
            assert b'{"n":4}' in await anext(stream)
        await stream.aclose()
        stream = made.stream(ME, "1.1", call())
        await anext(stream)
        missed = await anext(stream)
        assert [missed.count(b'{"n":%d}' % n) for n in (1, 2, 3, 4)] == [0, 1, 1, 1]
        await stream.aclose()


async def test_a_reader_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 18: nothing is kept for it, and it goes."""
    monkeypatch.setattr(live, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(live, "CUT_SECONDS", 0.2)
    monkeypatch.setattr(live, "SWEEP_SECONDS", 0.05)
    changes = Changes()
    async with hub(changes, asyncio.Event()) as (made, wake):

        async def stalled() -> None:
            async for piece in made.stream(ME, "", call()):
                if b"notification" in piece:
                    await asyncio.sleep(60)

        reader = asyncio.create_task(stalled())
        await asyncio.sleep(0.1)
        changes.add(1_000)
        wake.set()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await reader
        assert changes.reads <= 3, "it read on for a client that takes nothing"


async def test_so_many_streams_of_one_user() -> None:
    changes = Changes()
    async with hub(changes, asyncio.Event()) as (made, _):
        streams = [made.stream(ME, "", call()) for _ in range(MAX_STREAMS + 1)]
        for stream in streams[:MAX_STREAMS]:
            await anext(stream)
        with pytest.raises(QuotaExceededError):
            await anext(streams[MAX_STREAMS])
        await streams[0].aclose()
        again = made.stream(ME, "", call())
        await anext(again)
        for stream in (*streams[1:MAX_STREAMS], again):
            await stream.aclose()


async def test_a_replica_that_goes_ends_its_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SWEEP_SECONDS", 0.05)
    changes, draining = Changes(), asyncio.Event()
    async with hub(changes, draining) as (made, _):
        stream = made.stream(ME, "", call())
        await anext(stream)
        draining.set()
        async with asyncio.timeout(5):
            last = [piece async for piece in stream]
        assert last[-1].startswith(b"event: error")
        assert b"draining" in last[-1]
        with pytest.raises(DrainingError):
            await anext(made.stream(ME, "", call()))
