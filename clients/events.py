"""Consuming an event log: at least once, in order per partition, poison set aside.

A consumer's effects must be idempotent: after a crash, or when a partition moves to another member,
events come again.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Literal, TypeAlias

import grpc
import structlog

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb

from .acks import Acks
from .channel import Peer
from .errors import PeerError
from .handling import handling

Event: TypeAlias = event_pb2.Event
Handler: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
RESTART_SECONDS = 1.0
FIRST_BACKOFF, LAST_BACKOFF = 0.05, 2.0
"""Seconds between attempts while something that the handler needs is away."""
TRANSIENT_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}
_SERVICE = "/aviary.events.v1.EventService"
log = structlog.get_logger()


class EventConsumer:
    """One member of a group, reading one service's log.

    `transient` names the exceptions that mean "try the same again later" rather than "this event is
    poison"; a peer that cannot be reached always does.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        group: str,
        member: str,
        transient: tuple[type[Exception], ...] = (),
        max_batch: int = 500,
    ) -> None:
        self._peer = peer
        self._group = group
        self._member = member
        self._transient = transient
        self._max_batch = max_batch
        self._subscribe = peer.server_stream(f"{_SERVICE}/Subscribe", pb.SubscribeResponse)
        self._acks = Acks(peer, group, member)
        self._nack = peer.unary(f"{_SERVICE}/Nack", pb.NackResponse)
        self.partitions: list[int] = []
        """The partitions held now; empty while there is no subscription."""

    async def keep_running(self, handler: Handler, stop: asyncio.Event) -> None:
        """`run`, started again whatever it fails with, until `stop`: the loop of a worker."""
        while not stop.is_set():
            try:
                await self.run(handler, stop)
            except Exception:
                log.exception("consumer failed, starting it again", peer=self._peer.name)
                await asyncio.sleep(RESTART_SECONDS)

    async def run(self, handler: Handler, stop: asyncio.Event) -> None:
        """Hand batches to `handler` and acknowledge them until `stop`; reconnects by itself."""
        backoff = FIRST_BACKOFF
        while not stop.is_set():
            try:
                await self._consume(handler, stop)
                backoff = FIRST_BACKOFF
            except PeerError as error:
                log.warning("subscription ended", peer=self._peer.name, why=str(error))
            self.partitions = []
            await _pause(stop, backoff)
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _consume(self, handler: Handler, stop: asyncio.Event) -> None:
        request = pb.SubscribeRequest(
            group=self._group, member=self._member, max_batch=self._max_batch
        )
        async with contextlib.aclosing(self._subscribe(request)) as batches:
            ended = asyncio.ensure_future(stop.wait())
            try:
                while (batch := await self._next(batches, ended)) is not None:
                    self.partitions = list(batch.partitions)
                    if batch.events:
                        await self._handle(handler, list(batch.events), stop)
                await self._acks.send()
            finally:
                ended.cancel()
                self._acks.forget()

    async def _next(
        self,
        batches: AsyncGenerator[pb.SubscribeResponse, None],
        ended: "asyncio.Future[Literal[True]]",
    ) -> pb.SubscribeResponse | None:
        """The next batch, or None at the end; what is due meanwhile is acknowledged."""
        following = asyncio.ensure_future(anext(batches, None))
        either: set[asyncio.Future[Any]] = {following, ended}
        try:
            while not (following.done() or ended.done()):
                left = self._acks.left()
                if left == 0.0:
                    await self._acks.send()
                    continue
                await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return None if ended.done() else following.result()
        finally:
            if not following.done():
                following.cancel()
                await asyncio.wait({following})

    async def _handle(self, handler: Handler, events: list[Event], stop: asyncio.Event) -> None:
        failures: list[pb.EventFailure] = []
        try:
            await self._persist(handler, events, stop)
        except Exception as error:  # one of them is poison; the others must go on
            if self._is_transient(error):
                return  # we are stopping: they come again
            log.warning("batch failed, trying its events one by one", why=repr(error))
            failures = await self._one_by_one(handler, events, stop)
        if failures:
            await self._nack(
                pb.NackRequest(group=self._group, member=self._member, failures=failures)
            )
        self._acks.note(events, {failure.event_id for failure in failures})

    async def _persist(
        self, handler: Handler, events: Sequence[Event], stop: asyncio.Event
    ) -> None:
        """Try until it succeeds, while what fails is only away."""
        backoff = FIRST_BACKOFF
        while True:
            try:
                with handling(self._group, events):
                    await handler(events)
            except Exception as error:
                if not self._is_transient(error) or stop.is_set():
                    raise
                log.info("events wait", why=repr(error), backoff=backoff)
            else:
                return
            await _pause(stop, backoff)
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _one_by_one(
        self, handler: Handler, events: Sequence[Event], stop: asyncio.Event
    ) -> list[pb.EventFailure]:
        failures: list[pb.EventFailure] = []
        for event in events:
            try:
                await self._persist(handler, [event], stop)
            except Exception as error:
                if self._is_transient(error):
                    raise
                failure = pb.EventFailure(
                    event_id=event.event_id, partition=event.partition, error=repr(error)
                )
                failures.append(failure)
        return failures

    def _is_transient(self, error: Exception) -> bool:
        if isinstance(error, PeerError):
            return error.code in TRANSIENT_CODES
        return isinstance(error, self._transient)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep with jitter, but no longer than until `stop`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
            await stop.wait()
