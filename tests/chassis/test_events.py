"""The event log keeps its promises: none skipped, in order, shared, poison set aside."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb
from clients.channel import Peer
from clients.errors import PeerError
from clients.events import Event, EventConsumer
from services.chassis import stores
from services.chassis.events import failures, leases
from services.chassis.events.log import PARTITIONS, NewEvent, append
from services.chassis.events.servicer import DESCRIPTOR
from services.chassis.server import Server
from tests.event_log import ServedLog, log_server


class World(ServedLog):
    """A database with a log, served over gRPC, and who reads it."""

    def __init__(self, pool: stores.Pool, server: Server) -> None:
        super().__init__(pool, server)
        self.seen: dict[str, list[int]] = {}
        self.stop = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def write(
        self, ids: Sequence[int], *, delay: float = 0.0, key: int | None = None
    ) -> None:
        async with self.pool.connection() as connection, connection.transaction():
            events = [NewEvent(n, n if key is None else key, "Test", b"%d" % n) for n in ids]
            await append(connection, events)
            await asyncio.sleep(delay)

    def consume(
        self, member: str, *, poison: frozenset[int] = frozenset(), slow: float = 0.0
    ) -> EventConsumer:
        self.seen[member] = []

        async def handle(events: Sequence[Event]) -> None:
            await asyncio.sleep(slow)
            for event in events:
                if event.event_id in poison:
                    raise ValueError(f"cannot digest {event.event_id}")
            self.seen[member] += [event.event_id for event in events]

        peer = Peer("events", self.address)
        consumer = EventConsumer(peer, group="test", member=member)

        async def run() -> None:
            async with peer:
                await consumer.run(handle, self.stop)

        self.tasks.append(asyncio.create_task(run()))
        return consumer

    def all_seen(self) -> list[int]:
        return [one for seen in self.seen.values() for one in seen]

    async def until_seen(self, count: int, seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while len(set(self.all_seen())) < count:
                await asyncio.sleep(0.02)


@pytest.fixture
async def world(dsn: str) -> AsyncIterator[World]:
    async with log_server(dsn, size=40) as (pool, server):
        made = World(pool, server)
        async with made.serve():
            yield made
            made.stop.set()
            await asyncio.gather(*made.tasks)


async def test_none_is_skipped_when_commits_are_delayed(world: World) -> None:
    world.consume("reader")
    dice = random.Random(7)

    async def writer(number: int) -> None:
        for round_number in range(5):
            first = 1000 * number + 10 * round_number
            await world.write(range(first, first + 3), delay=dice.uniform(0, 0.15))

    await asyncio.gather(*(writer(number) for number in range(1, 33)))
    await world.until_seen(32 * 5 * 3)
    assert len(world.all_seen()) == 32 * 5 * 3


async def test_order_within_a_partition_is_commit_order(world: World) -> None:
    world.consume("reader")
    for number in range(1, 200):
        await world.write([number], key=42)
    await world.until_seen(199)
    assert world.seen["reader"] == list(range(1, 200))


async def test_members_share_the_partitions(world: World) -> None:
    first, second = world.consume("first"), world.consume("second")
    async with asyncio.timeout(15):
        while len(first.partitions) != PARTITIONS // 2:
            await asyncio.sleep(0.05)
        while len(second.partitions) != PARTITIONS // 2:
            await asyncio.sleep(0.05)
    assert set(first.partitions) | set(second.partitions) == set(range(PARTITIONS))
    await world.write(range(1, 301))
    await world.until_seen(300)
    assert world.seen["first"]
    assert world.seen["second"]


async def test_partitions_of_a_killed_member_move_on(world: World) -> None:
    world.consume("killed")
    world.consume("survivor")
    await world.write(range(1, 101))
    await world.until_seen(100)
    world.tasks[0].cancel()
    await asyncio.wait(world.tasks[:1])
    del world.tasks[0]
    world.seen.clear()
    world.seen["survivor"] = []
    await world.write(range(1001, 1101))
    async with asyncio.timeout(3 * leases.LEASE_SECONDS):
        while not set(range(1001, 1101)) <= set(world.seen["survivor"]):
            await asyncio.sleep(0.05)


async def test_unacknowledged_events_come_again(world: World) -> None:
    await world.write(range(1, 11))
    world.consume("failing", slow=3600)
    await asyncio.sleep(0.5)
    world.tasks.pop().cancel()
    world.consume("working")
    await world.until_seen(10)
    assert sorted(world.seen["working"]) == list(range(1, 11))


async def test_poison_is_set_aside_and_its_neighbours_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "FIRST_BACKOFF", 0.01)
    world.consume("reader", poison=frozenset({5}))
    await world.write(range(1, 11), key=42)
    await world.until_seen(9)
    assert world.seen["reader"] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    log = failures.Failures(world.pool)
    async with asyncio.timeout(30):
        while not (letters := await log.dead_letters("test", 0, 10)):
            await asyncio.sleep(0.1)
    assert letters[0].event.event_id == 5
    assert letters[0].event.attempt == failures.MAX_ATTEMPTS
    assert "cannot digest 5" in letters[0].error


async def test_dead_letter_can_be_redriven(world: World) -> None:
    log = failures.Failures(world.pool)
    await world.write([5], key=42)
    for _ in range(failures.MAX_ATTEMPTS):
        await log.put_aside("test", [(5, next(iter(await _partitions(world))), "broken")])
    assert await log.redrive("test", []) == 1
    async with world.pool.connection() as connection:  # its first delivery counts as done
        await connection.execute("DELETE FROM events")
    world.consume("reader")
    await world.until_seen(1)
    async with asyncio.timeout(5):
        while await _count(world, "event_failures"):
            await asyncio.sleep(0.05)


async def test_replay_from_a_time_delivers_again(world: World) -> None:
    world.consume("reader")
    await world.write(range(1, 21))
    await world.until_seen(20)
    async with Peer("events", world.address) as peer:
        await _replay(peer)
    async with asyncio.timeout(15):
        while len(world.all_seen()) < 40:
            await asyncio.sleep(0.05)
    assert sorted(world.all_seen()) == sorted([*range(1, 21), *range(1, 21)])


async def test_only_the_holder_may_acknowledge(world: World) -> None:
    world.consume("reader")
    await world.write([1], key=1)
    await world.until_seen(1)
    async with Peer("events", world.address) as peer:
        ack = peer.unary(f"/{DESCRIPTOR.full_name}/Ack", pb.AckResponse)
        cursor = pb.PartitionCursor(partition=3, cursor=event_pb2.Cursor(xid=1 << 40, seq=1))
        with pytest.raises(PeerError) as caught:
            await ack(pb.AckRequest(group="test", member="stranger", cursors=[cursor]))
    assert caught.value.reason == "LEASE_LOST"


async def test_lag_counts_what_waits(world: World) -> None:
    world.consume("reader", slow=3600)
    await world.write(range(1, 8))
    await asyncio.sleep(0.3)
    async with Peer("events", world.address) as peer:
        get_lag = peer.unary(f"/{DESCRIPTOR.full_name}/GetLag", pb.GetLagResponse)
        (group,) = (await get_lag(pb.GetLagRequest())).groups
    assert (group.group, group.backlog_count, list(group.members)) == ("test", 7, ["reader"])
    world.tasks.pop().cancel()


async def _replay(peer: Peer) -> None:
    replay = peer.unary(f"/{DESCRIPTOR.full_name}/Replay", pb.ReplayResponse)
    request = pb.ReplayRequest(group="test")
    request.from_time.FromSeconds(0)
    await replay(request)


async def _partitions(world: World) -> list[int]:
    async with world.pool.connection() as connection:
        rows = await connection.execute("SELECT DISTINCT partition FROM events")
        return [row[0] for row in await rows.fetchall()]


async def _count(world: World, table: str) -> int:
    async with world.pool.connection() as connection:
        rows = await connection.execute(f"SELECT count(*) FROM {table}")
        row = await rows.fetchone()
        return int(row[0]) if row else 0
