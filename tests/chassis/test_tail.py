"""The tail keeps its promises: one order over all partitions, none skipped, resumed exactly."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb
from clients import tail as tail_module
from clients.channel import Peer
from clients.errors import PeerError
from clients.tail import EventTail, Position
from services.chassis import stores
from services.chassis.events.log import EventLog, NewEvent, append
from services.chassis.events.servicer import DESCRIPTOR
from services.chassis.server import Server
from tests.event_log import ServedLog, log_server
from tests.ports import free_port

SECONDS = 20.0


class Reader:
    """A tail and all that it told."""

    def __init__(self, tail: EventTail) -> None:
        self.tail = tail
        self.ids: list[int] = []
        self.positions: list[Position] = []
        self.breaks = 0
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async with contextlib.aclosing(self.tail.stretches()) as stretches:
            async for events, position, continuous in stretches:
                self.breaks += not continuous
                self.ids += [event.event_id for event in events]
                self.positions += [Position(e.cursor.xid, e.cursor.seq) for e in events]
                assert not events or self.positions[-1] == position

    async def until(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.ids) < count:
                await asyncio.sleep(0.01)

    async def until_current(self) -> None:
        async with asyncio.timeout(SECONDS):
            while not self.tail.current:
                await asyncio.sleep(0.01)


class Log(ServedLog):
    """A database with a log, and who reads it."""

    def __init__(self, pool: stores.Pool, server: Server) -> None:
        super().__init__(pool, server)
        self.committed: list[int] = []
        self.peers: list[Peer] = []
        self.readers: list[Reader] = []

    async def write(self, ids: Sequence[int], *, delay: float = 0.0) -> None:
        async with self.pool.connection() as connection, connection.transaction():
            await append(connection, [NewEvent(n, n, "Test", b"%d" % n) for n in ids])
            await asyncio.sleep(delay)
        self.committed += ids

    async def write_in_disorder(self, writers: int = 24, rounds: int = 5) -> int:
        """Transactions that hold their ids for a while, so that many commit out of order."""
        dice = random.Random(7)

        async def writer(number: int) -> None:
            for round_number in range(rounds):
                first = 1000 * number + 10 * round_number
                await self.write(range(first, first + 3), delay=dice.uniform(0, 0.1))

        await asyncio.gather(*(writer(number) for number in range(1, writers + 1)))
        return writers * rounds * 3

    def peer(self) -> Peer:
        self.peers.append(Peer("events", self.address))
        return self.peers[-1]

    def read(self, history: float = 0.0, **options: int) -> Reader:
        self.readers.append(Reader(EventTail(self.peer(), history_seconds=history, **options)))
        return self.readers[-1]

    async def rest_behind(self, position: Position, count: int) -> list[int]:
        """The first events behind a position."""
        request = pb.TailRequest(after=event_pb2.Cursor(xid=position.xid, seq=position.seq))
        return await self.take(request, count)

    async def take(self, request: pb.TailRequest, count: int) -> list[int]:
        tail = self.peer().server_stream(f"/{DESCRIPTOR.full_name}/Tail", pb.TailResponse)
        found: list[int] = []
        async with asyncio.timeout(SECONDS), contextlib.aclosing(tail(request)) as replies:
            async for reply in replies:
                found += [event.event_id for event in reply.events]
                if len(found) >= count:
                    break
        return found

    async def close(self) -> None:
        for reader in self.readers:
            reader.task.cancel()
        await asyncio.gather(*(r.task for r in self.readers), return_exceptions=True)
        for peer in self.peers:
            await peer.__aexit__(None, None, None)


@pytest.fixture
async def log(dsn: str) -> AsyncIterator[Log]:
    async with log_server(dsn, size=30) as (pool, server):
        made = Log(pool, server)
        async with made.serve():
            yield made
            await made.close()


async def test_none_is_skipped_when_commits_come_out_of_order(log: Log) -> None:
    first, second = log.read(), log.read()
    await first.until_current()
    await second.until_current()
    count = await log.write_in_disorder()
    await first.until(count)
    await second.until(count)
    assert sorted(first.ids) == sorted(set(first.ids))
    assert first.ids == second.ids
    assert first.positions == sorted(first.positions)
    assert log.committed != first.ids, "nothing was out of order: no proof"


async def test_resuming_anywhere_gives_exactly_the_rest(log: Log) -> None:
    reader = log.read(history=60)
    count = await log.write_in_disorder(writers=10)
    await reader.until(count)
    for at in (0, 1, count // 3, count - 2):
        rest = await log.rest_behind(reader.positions[at], count - at - 1)
        assert rest == reader.ids[at + 1 :]
    assert await log.rest_behind(Position(0, 0), count) == reader.ids


async def test_small_batches_tell_the_same(log: Log) -> None:
    await log.write(range(1, 100))
    reader = log.read(history=60, max_batch=7)
    await reader.until(99)
    assert reader.ids == list(range(1, 100))
    await reader.until_current()


async def test_an_open_transaction_holds_back_what_is_behind_it(log: Log) -> None:
    reader = log.read()
    await reader.until_current()
    async with log.pool.connection() as connection, connection.transaction():
        await append(connection, [NewEvent(1, 1, "Test", b"")])
        await log.write([2])
        await asyncio.sleep(0.3)
        assert reader.ids == []
    await reader.until(2)
    assert reader.ids == [1, 2]


async def test_from_now_on_begins_with_what_is_not_settled(log: Log) -> None:
    await log.write([1])
    async with log.pool.connection() as connection, connection.transaction():
        await append(connection, [NewEvent(2, 2, "Test", b"")])
        reader = log.read()
        await reader.until_current()
    await reader.until(1)
    assert reader.ids == [2]


async def test_from_a_time(log: Log) -> None:
    async with log.pool.connection() as connection:
        await log.write([1])
        await connection.execute("UPDATE events SET create_time = now() - interval '1 hour'")
    await log.write([2])
    await log.write([3])
    request = pb.TailRequest()
    request.from_time.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))
    assert await log.take(request, 2) == [2, 3]


async def test_a_tail_reconnects_where_it_was(log: Log) -> None:
    listener = log.serve()
    async with contextlib.AsyncExitStack() as stack:
        log.address = f"127.0.0.1:{free_port()}"
        await stack.enter_async_context(listener)
        reader = log.read()
        await log.write([1])
        await reader.until_current()
    async with asyncio.timeout(SECONDS):
        while reader.tail.current:
            await asyncio.sleep(0.01)
    await log.write([2, 3])
    async with log.serve():
        await log.write([4])
        await reader.until(3)
        await reader.until_current()
        assert reader.ids[-3:] == [2, 3, 4]
        assert reader.breaks == 1


async def test_what_is_pruned_is_told(log: Log) -> None:
    await log.write([1, 2])
    reader = log.read(history=60)
    await reader.until(2)
    async with log.pool.connection() as connection:
        await connection.execute(
            "UPDATE events SET create_time = now() - interval '8 days' WHERE event_id = 2"
        )
    assert await EventLog(log.pool).prune() == 1
    assert await EventLog(log.pool).prune() == 0
    await log.write([3])
    assert await log.rest_behind(reader.positions[1], 1) == [3]  # it had seen all that is gone
    with pytest.raises(PeerError) as caught:
        await log.rest_behind(reader.positions[0], 1)
    assert caught.value.reason == "EVENTS_PRUNED"
    assert caught.value.metadata == {"retention_days": "7"}


async def test_a_lost_position_is_a_break(log: Log) -> None:
    tail = EventTail(log.peer())
    tail.position = Position(1 << 60, 1)  # of another database
    reader = Reader(tail)
    log.readers.append(reader)
    await reader.until_current()
    assert reader.breaks == 1
    await log.write([1])
    await reader.until(1)
    assert reader.ids == [1]


async def test_draining_ends_a_tail(log: Log) -> None:
    tail = log.peer().server_stream(f"/{DESCRIPTOR.full_name}/Tail", pb.TailResponse)
    async with asyncio.timeout(SECONDS), contextlib.aclosing(tail(pb.TailRequest())) as replies:
        await anext(replies)
        log.server.drain()
        with pytest.raises(StopAsyncIteration):
            await anext(replies)


async def test_silence_is_told_apart_from_not_being_told(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing happens a reader hears so, and is current; one that hears nothing is not."""
    monkeypatch.setattr(tail_module, "SILENCE_SECONDS", 4.0)
    reader = log.read()
    await reader.until_current()
    for _ in range(60):  # longer than that
        await asyncio.sleep(0.1)
        assert reader.tail.current
    monkeypatch.setattr(tail_module, "SILENCE_SECONDS", 0.5)
    async with asyncio.timeout(SECONDS):
        while reader.tail.current:
            await asyncio.sleep(0.05)
