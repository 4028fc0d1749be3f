"""Batches: concurrent identical kinds of work become one piece of work.

Python's cost is per call, not per item. While one batch is in flight the next one gathers, so an
idle service answers at once and a busy one works in large batches without any timer.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from clients.context import Origin, current, shared

from .errors import OverloadedError

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key", bound=int | str)
Value = TypeVar("Value")


class Batcher(Generic[Item, Result]):
    """Hands everything that waits to `work` as one list, one batch in flight.

    `work` answers with one result for each item, in order; a result that is an exception is raised
    to its own submitter only, an exception raised by `work` reaches all of the batch.
    A submitter that is cancelled does not stop the work: others may wait for the same batch, and a
    commit under way must come to an end.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int,
        max_waiting: int,
    ) -> None:
        self._name = name
        self._work = work
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[tuple[Item, asyncio.Future[Result], Origin]] = []
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The result for one item; RESOURCE_EXHAUSTED at once when too many wait."""
        if len(self._waiting) >= self._max_waiting:
            raise OverloadedError(resource=self._name)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future, current.get()))
        if self._runner is None:
            # Not in the submitter's context: the work is for many callers, so it must not be bound
            # by the deadline of the first one, nor done in that one's name. A trace that all of a
            # batch have goes on.
            self._runner = asyncio.create_task(self._run(), context=contextvars.Context())
        return await future

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # whoever runs in this turn of the loop shares the batch
            while self._waiting:
                batch = self._waiting[: self._max_batch]
                del self._waiting[: self._max_batch]
                await self._settle(batch)
        finally:
            self._runner = None

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result], Origin]]) -> None:
        results: Sequence[Result | Exception]
        current.set(shared([origin for _, _, origin in batch]))
        try:
            results = await self._work([item for item, _, _ in batch])
        except Exception as error:
            results = [error] * len(batch)  # it is theirs, not ours
        for (_, future, _), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


class Loader(Generic[Key, Value]):
    """Loads values by key: concurrent loads share one call, a key under way is loaded once."""

    def __init__(
        self,
        name: str,
        load: Callable[[list[Key]], Awaitable[dict[Key, Value]]],
        *,
        max_batch: int = 1000,
        max_waiting: int = 20_000,
    ) -> None:
        self._load = load
        self._under_way: dict[Key, asyncio.Future[Value | None]] = {}
        self._batcher: Batcher[Key, Value | None] = Batcher(
            name, self._load_batch, max_batch=max_batch, max_waiting=max_waiting
        )

    async def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """The values of the keys that exist."""
        wanted = {key: self._under_way.get(key) or self._start(key) for key in keys}
        found: dict[Key, Value] = {}
        for key, future in wanted.items():
            # The load belongs to everybody who waits for the key: one who leaves must not stop it.
            value = await asyncio.shield(future)
            if value is not None:
                found[key] = value
        return found

    def _start(self, key: Key) -> "asyncio.Future[Value | None]":
        task = asyncio.ensure_future(self._batcher.submit(key))
        self._under_way[key] = task

        def finish(done: "asyncio.Future[Value | None]") -> None:
            self._under_way.pop(key, None)
            if not done.cancelled():
                done.exception()  # one waiter raises it; the other keys' copies need no log line

        task.add_done_callback(finish)
        return task

    async def _load_batch(self, keys: list[Key]) -> list[Value | Exception | None]:
        found = await self._load(keys)
        return [found.get(key) for key in keys]
