"""Asking shards at once: hedged, bounded, and honest about who did not answer."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from aviary.search.v1 import shard_pb2
from services.search.domain_shards import Answer
from services.search.index.snapshot import Question
from services.search.shards.addresses import addresses_of
from services.search.shards.replica import Replica, Statistics
from services.search.shards.scatter import Scatter


class Fake:
    """A replica that answers its number after a while, fails, or hangs."""

    def __init__(self, number: int, seconds: float = 0.0, *, fails: bool = False) -> None:
        self.address = f"replica {number}"
        self.number = number
        self.seconds = seconds
        self.fails = fails
        self.asked = 0

    async def search(self, _question: Question) -> Answer:
        raise NotImplementedError

    async def statistics(self, _terms: Sequence[str]) -> Statistics:
        self.asked += 1
        if self.fails:
            raise OSError("gone")
        await asyncio.sleep(self.seconds)
        return Statistics({}, shard_pb2.Shard(shard=self.number))


async def ask(replica: Replica) -> int:
    return (await replica.statistics(())).status.shard


def scatter(*shards: Sequence[Fake], deadline: float = 5.0, hedge: float = 0.05) -> Scatter:
    return Scatter(shards, CollectorRegistry(), deadline=deadline, hedge=hedge)


async def test_every_shard_answers() -> None:
    found = await scatter([Fake(1)], [Fake(2)], [Fake(3)]).ask(ask)
    assert found == ([1, 2, 3], ())


async def test_a_slow_replica_is_hedged() -> None:
    slow, quick = Fake(1, 60.0), Fake(2)
    found = await scatter([slow, quick]).ask(ask)
    assert (found, slow.asked, quick.asked) == (([2], ()), 1, 1)


async def test_a_quick_replica_is_asked_alone() -> None:
    first, second = Fake(1), Fake(2)
    await scatter([first, second], hedge=5.0).ask(ask)
    assert (first.asked, second.asked) == (1, 0)


async def test_a_failed_replica_is_replaced_at_once_and_rests() -> None:
    dead, alive = Fake(1, fails=True), Fake(2)
    shards = scatter([dead, alive], hedge=60.0)
    assert (await shards.ask(ask)).answers == [2]
    assert (await shards.ask(ask)).answers == [2]
    assert (dead.asked, alive.asked) == (1, 2)


async def test_a_shard_without_answer_is_named() -> None:
    hangs = Fake(1, 60.0)
    shards = scatter([Fake(0)], [hangs], [Fake(2, fails=True)], deadline=0.2)
    assert await shards.ask(ask) == ([0], ("shard-1", "shard-2"))
    # While it rests nobody waits for it.
    assert await shards.ask(ask) == ([0], ("shard-1", "shard-2"))
    assert hangs.asked == 1


def test_addresses() -> None:
    assert addresses_of("") == []
    assert addresses_of("a:1,b:1") == []
    assert addresses_of("a:1,b:1; c:1 ;") == [["a:1", "b:1"], ["c:1"]]
