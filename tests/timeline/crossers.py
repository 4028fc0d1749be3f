"""Workers and replicas that share stores and a world, and a stream of tweets through them."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from services.timeline import domain
from services.timeline.crossing import Crossings
from services.timeline.metrics import FanoutMetrics
from services.timeline.policy.domain import Change, State
from services.timeline.policy.store import PolicyStore
from services.timeline.policy.watch import PolicyWatch

from .rig import Rig, open_rig
from .world import World

AUTHOR, OTHER = 90, 91
READERS = range(1, 8)
POLL = 0.05


@dataclass
class Worker:
    """A replica, a worker and its registry, as if in a process of their own."""

    rig: Rig
    store: PolicyStore
    policies: PolicyWatch
    crossings: Crossings
    registry: CollectorRegistry

    def state(self, author: int = AUTHOR) -> State | None:
        return self.policies.current.states.get(author)

    async def until(self, state: State | None, *, turn: bool = True) -> None:
        """Take turns until this process knows the author in that state."""
        await self.hold(lambda: self.state() is state, turn=turn)

    async def hold(self, holds: Callable[[], bool], *, turn: bool = True) -> None:
        async with asyncio.timeout(10):
            while not holds():
                if turn:
                    await self.crossings.turn()
                await asyncio.sleep(0.01)

    async def enter(self, *authors: int) -> None:
        """Let authors begin to be pulled."""
        await self.store.update(Change(overrides=dict.fromkeys(authors, True)))
        await self.policies.enter(authors)

    async def leave(self, author: int) -> None:
        """Let an author begin to be pushed."""
        await self.store.update(Change(overrides={author: False}))
        await self.until(State.LEAVING)

    async def pulled(self, *authors: int) -> None:
        """Bring authors into the registry, to stay."""
        await self.enter(*authors)
        await self.hold(lambda: all(self.state(a) is State.PULLED for a in authors))


class Open:
    """Opens workers that share Redis, PostgreSQL and a world."""

    def __init__(self, url: str, world: World, store: PolicyStore) -> None:
        self._url = url
        self._world = world
        self._store = store
        self._numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def __call__(self, *, poll_seconds: float = POLL) -> AsyncIterator[Worker]:
        registry = CollectorRegistry()
        async with (
            PolicyWatch(self._store, registry, poll_seconds=poll_seconds) as policies,
            open_rig(self._url, self._world, fresh_seconds=0.0, policies=policies) as rig,
        ):
            crossings = Crossings(
                self._store,
                policies,
                self._world,
                rig.mender,
                rig.ring_lists,
                FanoutMetrics(registry),
                f"worker-{next(self._numbers)}",
            )
            yield Worker(rig, self._store, policies, crossings, registry)


@dataclass
class Stream:
    """Tweets one after the other, and readers who look at what was delivered before they looked."""

    world: World
    poster: Worker
    readers: list[Worker]
    delivered: list[int] = field(default_factory=list)
    pages: int = 0
    lost: set[int] = field(default_factory=set)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self) -> None:
        while not self.stop.is_set():
            for author in (AUTHOR, OTHER):
                tweet = self.world.post(author)
                await self.poster.rig.deliver(tweet)
                self.delivered.append(tweet.tweet_id)
            await asyncio.sleep(0.005)

    async def read(self, worker: Worker) -> None:
        while not self.stop.is_set():
            for reader in READERS:
                before = set(self.delivered)
                page = await worker.rig.home(reader, page_size=100)
                ids = [tweet.tweet_id for tweet in page.tweets]
                assert ids == sorted(set(ids), reverse=True)
                self.lost |= {i for i in before if i > ids[-1]} - set(ids)
                self.pages += 1
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.post())
            for reader in self.readers:
                tasks.create_task(self.read(reader))
            try:
                yield
            finally:
                self.stop.set()

    async def cross_up_and_down(self) -> None:
        await self.poster.store.update(Change(pull_threshold=3, overrides={OTHER: False}))
        await self.poster.until(State.PULLED)
        await asyncio.sleep(0.3)
        await self.poster.store.update(Change(pull_threshold=100))
        await self.poster.until(State.LEAVING)
        await self.poster.until(None)
        await asyncio.sleep(0.3)


async def holes(worker: Worker, world: World) -> set[int]:
    """What lists do not hold although they prove to."""
    missing: set[int] = set()
    for reader in READERS:
        entries = await worker.rig.entries(reader)
        if entries:
            floor = domain.floor_of(entries)
            there = {domain.tweet_id_of(entry) for entry in entries}
            missing |= {i for i in world.truth(reader) if i >= floor} - there
    return missing
