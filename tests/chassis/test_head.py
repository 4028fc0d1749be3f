"""The newest part of the log is read once for everybody, and a failure is no silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest

from aviary.events.v1 import event_service_pb2 as pb
from services.chassis import stores
from services.chassis.errors import UnavailableError
from services.chassis.events import head as head_module
from services.chassis.events.head import Head
from services.chassis.events.log import EventLog, LoggedEvent, NewEvent, Position, append
from services.chassis.events.wake import Wake
from services.chassis.events.whole_log import BEGINNING, WholeLog

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Source(WholeLog):
    """A log in memory: one event a transaction."""

    def __init__(self, first: int = 1) -> None:
        self.first = first
        self.last_xid = first
        self.away = False
        self.reads = 0

    async def read(self, after: Position, limit: int) -> list[LoggedEvent]:
        self.reads += 1
        if self.away:
            raise psycopg.OperationalError("gone")
        xids = range(after.xid + 1, self.last_xid + 1)[:limit]
        return [LoggedEvent(xid % 16, xid, 1, xid, "Test", b"", WHEN, 0, "") for xid in xids]

    async def last(self) -> Position:
        return Position(self.first, 1)


@contextlib.asynccontextmanager
async def following(source: Source) -> AsyncIterator[tuple[Head, Wake]]:
    wake = Wake()
    head = Head(source, wake)
    task = asyncio.create_task(head.run())
    try:
        async with asyncio.timeout(20):
            while not head.looks:
                await asyncio.sleep(0.01)
            yield head, wake
    finally:
        task.cancel()
        await asyncio.wait([task])


async def grow(source: Source, head: Head, wake: Wake, to: int) -> None:
    source.last_xid = to
    while head.end.xid < to:
        wake.set()
        await asyncio.sleep(0.01)


async def test_what_is_kept_is_whole_and_what_is_older_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "KEPT", 10)
    source = Source()
    async with following(source) as (head, wake):
        assert head.since(Position(0, 9), 5) is None
        assert head.since(Position(1, 1), 5) == []
        for to in range(2, 80):
            await grow(source, head, wake, to)
            start = next(n for n in range(1, to + 1) if head.since(Position(n, 1), 1) is not None)
            assert start <= max(1, to - 10)
            found = head.since(Position(start, 1), 100)
            assert found is not None
            assert [entry.position.xid for entry in found] == list(range(start + 1, to + 1))
            assert len(found) <= 20
        assert start > 50
        for newest in head.since(Position(78, 1), 5) or ():
            reply = pb.TailResponse.FromString(newest.reply)
        assert [event.event_id for event in reply.events] == [79]


async def test_many_readers_cost_one_reading() -> None:
    source = Source()
    async with following(source) as (head, wake):
        before = source.reads
        await grow(source, head, wake, 500)
        reads = source.reads - before
        for _ in range(50):
            assert head.since(Position(400, 1), 1000) is not None
        assert source.reads - before == reads


async def test_a_log_that_cannot_be_read_is_no_silence() -> None:
    source = Source()
    async with following(source) as (head, wake):
        seen, source.away = head.grown.count, True
        wake.set()
        assert await head.grown.wait(seen, 10.0)
        with pytest.raises(UnavailableError):
            head.since(Position(1, 1), 5)
        source.away = False
        while True:
            await asyncio.sleep(0.02)
            with contextlib.suppress(UnavailableError):
                assert head.since(Position(1, 1), 5) == []
                break


async def test_the_end_of_a_log_is_an_event_and_not_a_transaction_to_come(dsn: str) -> None:
    """Ids of transactions that left no trace are used again after a crash."""
    await stores.migrate(dsn, stores.CHASSIS_MIGRATIONS, chassis=False)
    async with stores.open_pool(dsn, size=2, name="test") as pool:
        log = WholeLog(pool)
        assert await log.last() == BEGINNING
        async with pool.connection() as connection, connection.transaction():
            await append(connection, [NewEvent(n, n, "Test", b"") for n in range(40)])
        async with pool.connection() as connection:
            for _ in range(5):
                await connection.execute("SELECT pg_current_xact_id()")
        every = await log.read(Position(), 100)
        end = Position(every[-1].xid, every[-1].seq)
        assert len(every) == 40
        assert await log.last() == end
        async with pool.connection() as connection:
            await connection.execute("UPDATE events SET create_time = now() - interval '9 days'")
        assert await EventLog(pool).prune() == 40
        assert await log.last() == end
