"""What comes of an event belongs to the trace of the call that it comes of."""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Sequence

import pytest
import structlog

from aviary.events.v1.payload_pb2 import TweetDeleted
from clients.channel import Peer
from clients.context import Origin, current, traceparent
from clients.deletions import DeletionReports
from clients.events import Event, EventConsumer
from clients.handling import handling
from clients.tail import EventTail
from clients.tracing import parent_of
from clients.tweet import TweetClient
from services.chassis.batching import Batcher
from services.chassis.events import failures
from services.chassis.events.log import EventLog, NewEvent, Position, append
from services.chassis.telemetry import configure_logging

from .test_events import World, world  # noqa: F401 - a fixture


def parent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


def trace_id(number: int) -> str:
    return f"{number:032x}"


def event(number: int, flags: str = "01") -> Event:
    return Event(event_id=number, traceparent=parent(number, flags) if number else "")


def hear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines go to this test, also those of a logger that wrote before."""
    configure_logging("info")
    monkeypatch.setattr("clients.handling.log", structlog.get_logger())


async def write(world: World, *parents: str) -> None:  # noqa: F811
    """Events 1, 2, ... of one transaction and one partition, each in its own call."""
    made = []
    for number, value in enumerate(parents, 1):
        current.set(Origin(trace=(("traceparent", value),) if value else ()))
        made.append(NewEvent(number, 1, "Test", b""))
    current.set(Origin())
    async with world.pool.connection() as connection, connection.transaction():
        await append(connection, made)


async def test_events_of_one_transaction_keep_their_own(world: World) -> None:  # noqa: F811
    await write(world, parent(1), "", parent(3, "00"), "rubbish", parent(5) + "-of-a-later-version")
    async with world.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO events (partition, event_id, kind, payload)"
            " SELECT partition, 6, 'Test', '' FROM events LIMIT 1"
        )  # as a replica of the version before does
    seen = await _consumed(world, 6)
    assert {e.event_id: e.traceparent for e in seen} == {
        1: parent(1),
        2: "",
        3: parent(3, "00"),
        4: "",
        5: parent(5),
        6: "",
    }


async def test_a_retry_keeps_it(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "FIRST_BACKOFF", 0.01)
    await write(world, parent(1), parent(2))
    contexts: list[tuple[int, str]] = []

    async def handle(events: Sequence[Event]) -> None:
        if len(events) == 1:
            contexts.append((events[0].attempt, traceparent()))
        if any(one.event_id == 2 for one in events):
            raise ValueError("poison")

    letters = failures.Failures(world.pool)
    async with Peer("events", world.address) as peer:
        consumer = EventConsumer(peer, group="test", member="m")
        task = asyncio.create_task(consumer.run(handle, world.stop))
        async with asyncio.timeout(30):
            while not (dead := await letters.dead_letters("test", 0, 10)):
                await asyncio.sleep(0.05)
        world.stop.set()
        await task
    assert (0, parent(1)) in contexts
    again = {trace for attempt, trace in contexts if attempt}
    assert again == {parent(2)}
    assert dead[0].event.traceparent == parent(2)


async def test_lines_and_calls_belong_to_the_one_trace() -> None:
    with handling("test", [event(1), event(1, "00"), event(0)]):
        assert traceparent() in (parent(1), parent(1, "00"))
        assert dict(current.get().metadata)["traceparent"] == traceparent()
    assert traceparent() == ""


async def test_a_batch_of_several_has_one_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(monkeypatch)
    with handling("test", [event(1), event(2, "00"), event(0)]):
        structlog.get_logger().info("working")
        own = traceparent()
    with handling("test", [event(3, "00"), event(4, "00")]):  # whom nobody asked for
        pass
    with handling("test", [event(5)]):
        pass
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert own[3:35] not in (trace_id(1), trace_id(2))
    assert own.endswith("-00")
    assert [(line["event"], line["trace_id"], line.get("traces")) for line in lines] == [
        ("working", own[3:35], None),
        ("events handled", own[3:35], [trace_id(1), trace_id(2)]),
        ("events handled", trace_id(5), None),
    ]


async def test_a_failure_is_told_with_all_traces(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(monkeypatch)
    with (
        pytest.raises(ValueError, match="poison"),
        handling("test", [event(1, "00"), event(2, "00")]),
    ):
        raise ValueError("poison")
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["traces"]) == ("events not handled", [trace_id(1), trace_id(2)])
    assert traceparent() == ""


async def test_a_batch_of_calls_goes_on_under_the_trace_that_all_have() -> None:
    traces: list[str] = []

    async def work(items: list[int]) -> list[int]:
        traces.append(traceparent())
        assert current.get().deadline is None
        return items

    batcher: Batcher[int, int] = Batcher("test", work, max_batch=10, max_waiting=10)

    async def submit(number: int) -> None:
        current.set(Origin(trace=(("traceparent", parent(number)),), deadline=0.0))
        await batcher.submit(number)

    await submit(1)
    await asyncio.gather(submit(2), submit(3))
    await asyncio.gather(submit(4), submit(4))
    assert traces == [parent(1), "", parent(4)]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ""),
        ({"x-request-id": "r-1"}, ""),
        (
            {"x-request-id": "0f0e0d0c-0b0a-4908-8706-050403020100"},
            "00-0f0e0d0c0b0a49088706050403020100-0f0e0d0c0b0a4908-00",
        ),
        ({"x-request-id": "0f0e0d0c-0b0a-4908-8706-050403020100", "traceparent": parent(1)}, "1"),
        ({"traceparent": "ff" + parent(1)[2:]}, ""),
        ({"traceparent": parent(0)}, ""),
        ({"traceparent": parent(1).replace("1", "A")}, ""),
    ],
)
def test_what_the_trace_of_a_call_is(headers: dict[str, str], found: str) -> None:
    assert parent_of(tuple(headers.items())) == (parent(1) if found == "1" else found)


async def test_a_tail_reads_within_the_traces_too(world: World) -> None:  # noqa: F811
    async with Peer("events", world.address) as peer:
        tail, traces = EventTail(peer), []
        async with contextlib.aclosing(tail.stretches()) as stretches:
            await anext(stretches)
            await write(world, parent(1))
            async with asyncio.timeout(20):
                while not (await anext(stretches)).events:
                    traces.append(traceparent())
            assert traceparent() == parent(1)
            assert set(traces) <= {""}
        assert traceparent() == ""


async def test_reports_of_deletions_go_on_under_their_trace() -> None:
    told: list[tuple[list[int], str]] = []

    class Tweets(TweetClient):
        async def record_deletions(self, _store: str, tweet_ids: Iterable[int]) -> None:
            told.append((sorted(tweet_ids), traceparent()))

    def deleted(number: int) -> Event:
        payload = TweetDeleted(tweet_id=number).SerializeToString()
        return Event(kind="TweetDeleted", payload=payload, traceparent=parent(number))

    async def handle(_events: Sequence[Event]) -> None:
        """Nothing."""

    async with Tweets("127.0.0.1:1") as tweets:
        report = DeletionReports(tweets, "store").telling(handle)
        for events in ([deleted(1)], [deleted(2)], [deleted(3), deleted(4)]):
            with handling("test", events):
                await report(events)
            if len(events) == 1 and len(told) == 0:
                await asyncio.sleep(0)  # the first one is told by itself, the others together
        async with asyncio.timeout(10):
            while sum(len(tweet_ids) for tweet_ids, _ in told) < 4:
                await asyncio.sleep(0)
    assert told == [([1], parent(1)), ([2, 3, 4], "")]


async def _consumed(world: World, count: int) -> list[Event]:  # noqa: F811
    log = EventLog(world.pool)
    everywhere = dict.fromkeys(range(16), Position())
    events = await log.read(everywhere, 100)
    assert len(events) == count
    seen: list[Event] = []

    async def handle(events: Sequence[Event]) -> None:
        seen.extend(events)

    async with Peer("events", world.address) as peer:
        consumer = EventConsumer(peer, group="test", member="m")
        task = asyncio.create_task(consumer.run(handle, world.stop))
        async with asyncio.timeout(20):
            while len(seen) < count:
                await asyncio.sleep(0.02)
        world.stop.set()
        await task
    return seen
