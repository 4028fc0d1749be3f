"""`aviary.events.v1.EventService`, served by every service that has a log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC

import structlog
from grpc import StatusCode
from prometheus_client import CollectorRegistry

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb

from ..background import keep_sweeping, running
from ..call import Call
from ..errors import InvalidFieldError, ServiceError
from ..paging import decode_page_token, encode_page_token, page_size_of
from ..stores import Pool
from .backlog import Backlog
from .encoding import message_of, subscribe_reply, tail_reply
from .failures import Failures
from .head import Head
from .leases import Leases
from .log import CHANNEL, EventLog, Position
from .subscription import MAX_BATCH, Subscription
from .tail import Tail
from .wake import Wake, listen
from .whole_log import WholeLog

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

    def __init__(self, pool: Pool, head: Head, draining: asyncio.Event) -> None:
        self._events = EventLog(pool)
        self._tail = Tail(WholeLog(pool), head)
        self._leases = Leases(pool)
        self._failures = Failures(pool)
        self._head = head
        self._draining = draining

    async def subscribe(self, request: pb.SubscribeRequest, _call: Call) -> AsyncIterator[bytes]:
        """Stream events to one member of a group."""
        _require(group=request.group, member=request.member)
        limit = min(request.max_batch or MAX_BATCH, MAX_BATCH)
        subscription = Subscription(
            self._events, self._leases, self._failures, self._head, request.group, request.member
        )
        async with contextlib.aclosing(subscription.batches(limit, self._draining)) as batches:
            async for batch in batches:
                yield subscribe_reply(batch.events, batch.partitions)

    async def tail(self, request: pb.TailRequest, _call: Call) -> AsyncIterator[bytes]:
        """Stream every event to a reader that keeps its own place."""
        limit = min(request.max_batch or MAX_BATCH, MAX_BATCH)
        after = Position(request.after.xid, request.after.seq)
        moment = request.from_time.ToDatetime(tzinfo=UTC)
        start = await self._tail.start(
            after if request.HasField("after") else None,
            moment if request.HasField("from_time") else None,
        )
        steps = self._tail.steps(start, limit, self._draining)
        async with contextlib.aclosing(steps) as found:
            async for events, position in found:
                yield tail_reply(events, position)

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
            letter.event.CopyFrom(message_of(row.event))
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
        self._head.grown.set()
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
    """The servicer with what runs beside it: following the log, pruning it, and metrics."""
    wake = Wake()
    head = Head(WholeLog(pool), wake)
    async with running(
        head.run(),
        listen(dsn, wake, CHANNEL),
        keep_sweeping(EventLog(pool).prune, PRUNE_INTERVAL, "events not pruned"),
        _wake_for_drain(head.grown, draining),
        Backlog(pool, registry or CollectorRegistry()).watch(),
    ):
        yield EventServicer(pool, head, draining)


async def _wake_for_drain(wake: Wake, draining: asyncio.Event) -> None:
    await draining.wait()
    wake.set()


def _cursors(positions: dict[int, Position]) -> Iterator[pb.PartitionCursor]:
    for partition, position in positions.items():
        cursor = event_pb2.Cursor(xid=position.xid, seq=position.seq)
        yield pb.PartitionCursor(partition=partition, cursor=cursor)


def _require(**fields: str) -> None:
    for field, value in fields.items():
        if not value:
            raise InvalidFieldError(field=field, problem="is required")
