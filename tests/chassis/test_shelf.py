"""What replicas remember of content: for seconds by itself, for long while its changes are told."""

import asyncio

from services.chassis.shelf import Shelf
from services.chassis.short_cache import ShortCache


class Peer:
    def __init__(self) -> None:
        self.values = {1: "one", 2: "two"}
        self.calls: list[list[int]] = []
        self.pause = asyncio.Event()
        self.pause.set()

    async def load(self, keys: list[int]) -> dict[int, str]:
        self.calls.append(keys)
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.pause.wait()
        return found


async def test_what_is_forgotten_is_loaded_again() -> None:
    peer = Peer()
    shelf: Shelf[str] = Shelf("things", peer.load, 100, 60.0)
    assert await shelf.get_many([1, 2, 3]) == ["one", "two", None]
    peer.values[1] = "uno"
    assert await shelf.get_many([1, 2]) == ["one", "two"]
    shelf.forget([1, 99])
    assert await shelf.get_many([1, 2]) == ["uno", "two"]
    assert peer.calls == [[1, 2, 3], [1]]
    peer.values.clear()
    shelf.forget_all()
    assert await shelf.get_many([1, 2]) == [None, None]


async def test_what_changes_while_it_is_loaded_is_not_kept() -> None:
    peer = Peer()
    shelf: Shelf[str] = Shelf("things", peer.load, 100, 60.0)
    peer.pause.clear()
    reading = asyncio.create_task(shelf.get_many([1, 2]))
    while not peer.calls:
        await asyncio.sleep(0)
    peer.values[1] = "uno"
    shelf.forget([1])
    peer.pause.set()
    assert await reading == ["one", "two"]
    assert await shelf.get_many([1, 2]) == ["uno", "two"]
    assert peer.calls == [[1, 2], [1]]


def test_a_bound_that_is_drawn_in_forgets_at_once() -> None:
    now = 0.0
    cache: ShortCache[int, str] = ShortCache(60.0, 100, lambda: now)
    cache.put_many({1: "one"})
    now = 20.0
    cache.bound(60.0)
    assert cache.get_many([1]) == ["one"]
    cache.bound(3.0)
    assert cache.get_many([1]) == [None]
    cache.put_many({1: "one"})
    now = 22.0
    assert cache.get_many([1]) == ["one"]
    now = 23.5
    assert cache.get_many([1]) == [None]
