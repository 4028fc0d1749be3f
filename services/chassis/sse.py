"""`text/event-stream`: how the events of a stream are written, and its cursors.

A cursor is a position in a log, `xid.seq`, the same at every replica; clients hand it back as it
is. Every block carries one, also a comment that keeps the connection alive: a client that has
been told of nothing for long resumes from where it was told so.
"""

import contextlib
import json
import re
from collections.abc import AsyncGenerator

from google.api.httpbody_pb2 import HttpBody
from google.protobuf import json_format
from google.rpc import status_pb2

from clients.tail import Position

from .call import Call
from .status import Failure

CONTENT_TYPE = "text/event-stream"
LAST_EVENT_ID = b"last-event-id"
RETRY_MS = 1_000
"""After this time a browser connects again."""
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)


def cursor_in(call: Call, last_event_id: str) -> str:
    """The cursor that a client hands back: a browser in a header, others in the request."""
    return call.headers.get(LAST_EVENT_ID, b"").decode("latin-1") or last_event_id


async def bodies(pieces: AsyncGenerator[bytes, None], call: Call) -> AsyncGenerator[HttpBody, None]:
    """The pieces of a stream as the edge takes them: the first says what they are."""
    call.initial.append((b"cache-control", b"no-store"))
    kind = CONTENT_TYPE
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield HttpBody(content_type=kind, data=piece)
            kind = ""


def cursor_of(position: tuple[int, int]) -> bytes:
    """The text of a position."""
    return b"%d.%d" % tuple(position)


def position_of(text: str) -> Position | None:
    """The position that a cursor names; None for a text that is none."""
    found = _CURSOR.fullmatch(text)
    return Position(int(found[1]), int(found[2])) if found else None


def opening(position: tuple[int, int]) -> bytes:
    """The first block: no event, but a cursor and how soon to come back."""
    return b"retry: %d\nid: %b\n\n" % (RETRY_MS, cursor_of(position))


def keep_alive(position: tuple[int, int]) -> bytes:
    """A comment, and how far the stream is."""
    return b": keep-alive\nid: %b\n\n" % cursor_of(position)


def event(kind: bytes, data: bytes, position: tuple[int, int]) -> bytes:
    """One event; `data` is JSON in one line."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor_of(position), kind, data)


def gap(page_token: str, position: tuple[int, int]) -> bytes:
    """The event of a cursor from which the stream cannot go on."""
    return event(b"gap", b'{"page_token":"%b"}' % page_token.encode(), position)


def ending(failure: Failure) -> bytes:
    """The last event of a stream that the server ends: the status as REST errors show it.

    It has no cursor: the client goes on from the last one it has.
    """
    status = json_format.MessageToDict(
        status_pb2.Status.FromString(failure.details), preserving_proto_field_name=True
    )
    return b"event: error\ndata: %b\n\n" % json.dumps(status, separators=(",", ":")).encode()
