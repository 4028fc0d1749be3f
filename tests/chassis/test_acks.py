"""Batches are acknowledged together, and none is forgotten."""

import asyncio
from typing import cast

from aviary.events.v1 import event_pb2
from aviary.events.v1 import event_service_pb2 as pb
from clients.acks import ACK_SECONDS, Acks
from clients.channel import Peer


class Recorder:
    """Stands in for a peer: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[pb.AckRequest] = []

    def unary(self, _path: str, _reply: object) -> object:
        async def send(request: pb.AckRequest) -> None:
            self.sent.append(request)

        return send


def event(number: int, partition: int, attempt: int = 0) -> event_pb2.Event:
    cursor = event_pb2.Cursor(xid=number, seq=1)
    return event_pb2.Event(event_id=number, partition=partition, cursor=cursor, attempt=attempt)


async def test_batches_are_acknowledged_together() -> None:
    peer = Recorder()
    acks = Acks(cast("Peer", peer), "group", "member")
    assert acks.left() is None
    await acks.send()
    assert not peer.sent
    acks.note([event(3, 0), event(4, 1), event(5, 0)], failed=())
    left = acks.left()
    assert left is not None
    assert 0 < left <= ACK_SECONDS
    acks.note([event(7, 1), event(1, 2, attempt=1), event(2, 2, attempt=1)], failed={2})
    await asyncio.sleep(ACK_SECONDS)
    assert acks.left() == 0.0
    await acks.send()
    (sent,) = peer.sent
    assert {each.partition: each.cursor.xid for each in sent.cursors} == {0: 5, 1: 7}
    assert list(sent.retried_event_ids) == [1]
    assert acks.left() is None


async def test_what_was_forgotten_is_not_sent() -> None:
    peer = Recorder()
    acks = Acks(cast("Peer", peer), "group", "member")
    acks.note([event(3, 0)], failed=())
    acks.forget()
    await acks.send()
    assert not peer.sent
