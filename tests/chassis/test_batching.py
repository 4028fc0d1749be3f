"""Batches gather, are bounded, and keep failures apart."""

import asyncio

import pytest

from services.chassis.batching import Batcher, Loader
from services.chassis.errors import OverloadedError


class Work:
    """Doubles numbers; negative ones fail; waits for `gate`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        await self.gate.wait()
        return [ValueError(item) if item < 0 else 2 * item for item in items]


def batcher(work: Work, max_batch: int = 100, max_waiting: int = 1000) -> Batcher[int, int]:
    return Batcher("numbers", work, max_batch=max_batch, max_waiting=max_waiting)


async def test_concurrent_items_share_a_batch() -> None:
    work = Work()
    numbers = batcher(work)
    assert await asyncio.gather(*(numbers.submit(n) for n in range(50))) == list(range(0, 100, 2))
    assert work.batches == [list(range(50))]


async def test_one_batch_is_in_flight_while_the_next_gathers() -> None:
    work = Work()
    work.gate.clear()
    numbers = batcher(work)
    first = asyncio.ensure_future(numbers.submit(1))
    await asyncio.sleep(0.01)
    later = [asyncio.ensure_future(numbers.submit(n)) for n in (2, 3)]
    await asyncio.sleep(0.01)
    assert work.batches == [[1]]
    work.gate.set()
    await asyncio.gather(first, *later)
    assert work.batches == [[1], [2, 3]]


async def test_batches_are_bounded() -> None:
    work = Work()
    await asyncio.gather(*(batcher(work, max_batch=10).submit(n) for n in range(1)))
    numbers = batcher(work, max_batch=10)
    await asyncio.gather(*(numbers.submit(n) for n in range(25)))
    assert [len(batch) for batch in work.batches[1:]] == [10, 10, 5]


async def test_full_queue_refuses_at_once() -> None:
    work = Work()
    work.gate.clear()
    numbers = batcher(work, max_waiting=5)
    waiting = [asyncio.ensure_future(numbers.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await numbers.submit(6)
    work.gate.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8]


async def test_one_failure_is_its_own() -> None:
    numbers = batcher(Work())
    results = await asyncio.gather(*(numbers.submit(n) for n in (1, -1, 2)), return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 4


async def test_failure_of_the_work_reaches_everybody() -> None:
    async def work(_items: list[int]) -> list[int | Exception]:
        raise ConnectionError

    numbers: Batcher[int, int] = Batcher("numbers", work, max_batch=9, max_waiting=9)
    results = await asyncio.gather(*(numbers.submit(n) for n in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]


async def test_cancelled_submitter_does_not_stop_the_work() -> None:
    work = Work()
    work.gate.clear()
    numbers = batcher(work)
    left, stayed = (asyncio.ensure_future(numbers.submit(n)) for n in (1, 2))
    await asyncio.sleep(0.01)
    left.cancel()
    work.gate.set()
    assert await stayed == 4
    await numbers.close()


async def test_key_under_way_is_loaded_once() -> None:
    calls: list[list[int]] = []

    async def load(keys: list[int]) -> dict[int, str]:
        calls.append(keys)
        await asyncio.sleep(0.01)
        return {key: str(key) for key in keys if key < 10}

    loader: Loader[int, str] = Loader("texts", load)
    pages = await asyncio.gather(*(loader.get_many([1, 2, 99]) for _ in range(20)))
    assert all(page == {1: "1", 2: "2"} for page in pages)
    assert calls == [[1, 2, 99]]


async def test_loader_survives_one_who_leaves() -> None:
    async def load(keys: list[int]) -> dict[int, int]:
        await asyncio.sleep(0.02)
        return {key: key for key in keys}

    loader: Loader[int, int] = Loader("numbers", load)
    leaver = asyncio.ensure_future(loader.get_many([7]))
    stayer = asyncio.ensure_future(loader.get_many([7]))
    await asyncio.sleep(0.005)
    leaver.cancel()
    assert await stayer == {7: 7}
