"""`aviary.events.v1.EventService`, served by every service that has a log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from prometheus_client import CollectorRegistry

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb

from ..call import Call
from ..errors import InvalidFieldError, ServiceError
from ..paging import decode_page_token, encode_page_token, page_size_of
from ..stores import Pool
from .backlog import Backlog
from .failures import Failures
from .leases import Leases
from .log import CHANNEL, EventLog, LoggedEvent, Position
from .subscription import MAX_BATCH, Subscription
from .tail import Tail, TailLog
from .wake import Wake, listen

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["EventService"]
PRUNE_INTERVAL = 600.0
log = structlog.get_logger()


class LeaseLostError(ServiceError):
    """The member does not hold the partition any more."""

    code = StatusCode.ABORTED
    reason = "LEASE_LOST"
    template = "{member} does not hold partition {partition} of {group} any more"


class EventServicer:
    """Subscriptions to one database's log."""

    def __init__(self, pool: Pool, wake: Wake, draining: asyncio.Event) -> None:
        self._events = EventLog(pool)
        self._tail = Tail(TailLog(pool), wake)
        self._leases = Leases(pool)
        self._failures = Failures(pool)
        self._wake = wake
        self._draining = draining

    async def subscribe(
        self, request: pb.SubscribeRequest, _call: Call
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Stream events to one member of a group."""
        _require(group=request.group, member=request.member)
        limit = min(request.max_batch or MAX_BATCH, MAX_BATCH)
        subscription = Subscription(
            self._events, self._leases, self._failures, self._wake, request.group, request.member
        )
        async with contextlib.aclosing(subscription.batches(limit, self._draining)) as batches:
            async for batch in batches:
                yield pb.SubscribeResponse(
                    events=[_message(event) for event in batch.events], partitions=batch.partitions
                )

    async def tail(self, request: pb.TailRequest, _call: Call) -> AsyncIterator[pb.TailResponse]:
        """Stream every event to a reader that keeps its own place."""
        limit = min(request.max_batch or MAX_BATCH, MAX_BATCH)
        after = Position(request.after.xid, request.after.seq)
        moment = request.from_time.ToDatetime(tzinfo=UTC)
        start = await self._tail.start(
            after if request.HasField("after") else None,
            moment if request.HasField("from_time") else None,
        )
        stretches = self._tail.stretches(start, limit, self._draining)
        async with contextlib.aclosing(stretches) as found:
            async for events, position in found:
                yield pb.TailResponse(
                    events=[_message(event) for event in events],
                    position=event_pb2.Cursor(xid=position.xid, seq=position.seq),
                )

    async def ack(self, request: pb.AckRequest, _call: Call) -> pb.AckResponse:
        """Move cursors, and forget retried events that are done."""
        _require(group=request.group, member=request.member)
        positions = {c.partition: Position(c.cursor.xid, c.cursor.seq) for c in request.cursors}
        if positions:
            moved = await self._events.ack(request.group, request.member, positions)
            if moved < len(positions):
                await self._check_leases(request, list(positions))
        if request.retried_event_ids:
            await self._failures.done(request.group, request.retried_event_ids)
        return pb.AckResponse()

    async def nack(self, request: pb.NackRequest, _call: Call) -> pb.NackResponse:
        """Set failed events aside."""
        _require(group=request.group, member=request.member)
        failed = [(f.event_id, f.partition, f.error) for f in request.failures]
        retried, parked = await self._failures.put_aside(request.group, failed)
        log.warning("events failed", group=request.group, retried=retried, parked=parked)
        return pb.NackResponse(retried_count=retried, parked_count=parked)

    async def replay(self, request: pb.ReplayRequest, _call: Call) -> pb.ReplayResponse:
        """Set a group's cursors."""
        _require(group=request.group)
        if request.HasField("from_time"):
            moment = request.from_time.ToDatetime(tzinfo=UTC)
            positions = await self._events.positions_at(moment)
        else:
            positions = {c.partition: Position(c.cursor.xid, c.cursor.seq) for c in request.cursors}
        await self._events.rewind(request.group, positions)
        return pb.ReplayResponse(cursors=list(_cursors(positions)))

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, _call: Call
    ) -> pb.ListDeadLettersResponse:
        """List dead letters, oldest first."""
        size = page_size_of(request.page_size)
        position = decode_page_token(request.page_token, "dead_letters", request.group)
        after = position[0] if position else 0
        rows = await self._failures.dead_letters(request.group, after, size + 1)
        reply = pb.ListDeadLettersResponse()
        for row in rows[:size]:
            letter = reply.dead_letters.add(group=row.group, error=row.error)
            letter.event.CopyFrom(_message(row.event))
            letter.park_time.FromDatetime(row.park_time)
        if len(rows) > size:
            last = rows[size - 1].event.event_id
            reply.next_page_token = encode_page_token([last], "dead_letters", request.group)
        return reply

    async def redrive_dead_letters(
        self, request: pb.RedriveDeadLettersRequest, _call: Call
    ) -> pb.RedriveDeadLettersResponse:
        """Deliver dead letters again."""
        count = await self._failures.redrive(request.group, request.event_ids)
        self._wake.set()
        return pb.RedriveDeadLettersResponse(redriven_count=count)

    async def get_lag(self, request: pb.GetLagRequest, _call: Call) -> pb.GetLagResponse:
        """Say how far each group is behind."""
        reply = pb.GetLagResponse()
        for name, backlog, age, retries, dead, members in await self._events.lag(request.group):
            lag = reply.groups.add(
                group=name,
                backlog_count=backlog,
                retry_count=retries,
                dead_letter_count=dead,
                members=members,
            )
            lag.backlog_age.FromMilliseconds(int(age * 1000))
        return reply

    async def _check_leases(self, request: pb.AckRequest, partitions: list[int]) -> None:
        held = await self._leases.holders(request.group, partitions)
        for partition, member in held.items():
            if member != request.member:
                raise LeaseLostError(
                    member=request.member, partition=partition, group=request.group
                )


@contextlib.asynccontextmanager
async def event_servicer(
    pool: Pool, dsn: str, draining: asyncio.Event, registry: CollectorRegistry | None = None
) -> AsyncIterator[EventServicer]:
    """The servicer with what runs beside it: listening for appends, pruning, and metrics."""
    wake = Wake()
    tasks = [
        asyncio.create_task(listen(dsn, wake, CHANNEL)),
        asyncio.create_task(_prune(EventLog(pool))),
        asyncio.create_task(_wake_for_drain(wake, draining)),
        asyncio.create_task(Backlog(pool, registry or CollectorRegistry()).watch()),
    ]
    try:
        yield EventServicer(pool, wake, draining)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _wake_for_drain(wake: Wake, draining: asyncio.Event) -> None:
    await draining.wait()
    wake.set()


async def _prune(events: EventLog) -> None:
    while True:
        await asyncio.sleep(PRUNE_INTERVAL)
        try:
            while await events.prune():  # noqa: ASYNC110 - a pause for others, not a wait
                await asyncio.sleep(0.1)
        except Exception as error:
            log.warning("events not pruned", why=str(error))


def _message(event: LoggedEvent) -> event_pb2.Event:
    # Not `FromDatetime`, which takes a tenth of what sending an event costs.
    seconds, microseconds = int(event.create_time.timestamp()), event.create_time.microsecond
    return event_pb2.Event(
        event_id=event.event_id,
        partition=event.partition,
        cursor=event_pb2.Cursor(xid=event.xid, seq=event.seq),
        kind=event.kind,
        payload=event.payload,
        create_time=Timestamp(seconds=seconds, nanos=microseconds * 1000),
        attempt=event.attempt,
        traceparent=event.traceparent,
    )


def _cursors(positions: dict[int, Position]) -> Iterator[pb.PartitionCursor]:
    for partition, position in positions.items():
        cursor = event_pb2.Cursor(xid=position.xid, seq=position.seq)
        yield pb.PartitionCursor(partition=partition, cursor=cursor)


def _require(**fields: str) -> None:
    for field, value in fields.items():
        if not value:
            raise InvalidFieldError(field=field, problem="is required")
