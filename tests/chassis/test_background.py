"""What runs beside something ends with it, one way or the other."""

import asyncio
from collections.abc import Iterator

from structlog.testing import capture_logs

from services.chassis.background import keep_sweeping, running, working


async def test_what_runs_is_cancelled_and_has_ended_when_it_closes() -> None:
    told: list[str] = []

    async def work(name: str) -> None:
        try:
            told.append(f"{name} began")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append(f"{name} ended")

    async with running(work("a"), work("b")):
        await asyncio.sleep(0)
        assert told == ["a began", "b began"]
    assert sorted(told[2:]) == ["a ended", "b ended"]


async def test_what_works_is_told_to_end_and_finishes_what_it_does() -> None:
    draining, told = asyncio.Event(), list[str]()

    async def work() -> None:
        await draining.wait()
        await asyncio.sleep(0)
        told.append("finished")

    async with working(draining, work()):
        assert not draining.is_set()
    assert told == ["finished"]


async def test_a_sweep_goes_on_while_there_is_something_and_after_a_failure() -> None:
    answers: Iterator[int | Exception] = iter([2, 1, 0, OSError("away"), 3, 0])
    done = asyncio.Event()

    async def sweep() -> int:
        answer = next(answers, None)
        if answer is None:
            done.set()
            return 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    with capture_logs() as logs:
        async with running(keep_sweeping(sweep, 0.0, "not swept")):
            await done.wait()
    assert [(entry["event"], entry["why"]) for entry in logs] == [("not swept", "away")]
