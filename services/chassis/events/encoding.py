"""Events as messages of the contract, and encoded for replies that many readers share."""

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb

from .log import LoggedEvent, Position


def message_of(event: LoggedEvent) -> event_pb2.Event:
    """The message of one event."""
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


def encoded(event: LoggedEvent) -> bytes:
    """A reply that holds this event alone: `events` has number 1 in both kinds of reply.

    Replies are joined by concatenation, which protobuf defines as merging.
    """
    return pb.TailResponse(events=[message_of(event)]).SerializeToString()


def subscribe_reply(events: Iterable[bytes], partitions: Sequence[int]) -> bytes:
    """A `SubscribeResponse` of encoded events."""
    return b"".join(events) + pb.SubscribeResponse(partitions=partitions).SerializeToString()


def tail_reply(events: Iterable[bytes], position: Position) -> bytes:
    """A `TailResponse` of encoded events."""
    cursor = event_pb2.Cursor(xid=position.xid, seq=position.seq)
    return b"".join(events) + pb.TailResponse(position=cursor).SerializeToString()
