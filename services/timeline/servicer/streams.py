"""StreamHomeTimeline: the caller's home timeline as Server-Sent Events."""

import contextlib
from collections.abc import AsyncGenerator

from google.api.httpbody_pb2 import HttpBody

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.paging import encode_page_token
from services.chassis.sse import CONTENT_TYPE, LAST_EVENT_ID

from ..domain import NOTHING_PROVEN
from ..live.live import LiveTimelines
from .home import home_binding


class StreamMethods:
    """What streams timelines."""

    def __init__(self, live: LiveTimelines) -> None:
        self._live = live

    async def stream_home_timeline(
        self, request: pb.StreamHomeTimelineRequest, call: Call
    ) -> AsyncGenerator[pb.StreamHomeTimelineResponse, None]:
        """The caller's home timeline from now on, or from an event on."""
        viewer = call.own_user_id(request.user_id)
        header = call.headers.get(LAST_EVENT_ID, b"").decode("latin-1")
        # From the top: what was missed is the newest.
        from_top = encode_page_token((NOTHING_PROVEN, 0), *home_binding(viewer))
        call.initial.append((b"cache-control", b"no-store"))
        kind = CONTENT_TYPE
        pieces = self._live.stream(viewer, header or request.last_event_id, from_top, call)
        async with contextlib.aclosing(pieces) as found:
            async for piece in found:
                body = HttpBody(content_type=kind, data=piece)
                yield pb.StreamHomeTimelineResponse(event_stream=body)
                kind = ""
