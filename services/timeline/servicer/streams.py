"""StreamHomeTimeline: the caller's home timeline as Server-Sent Events."""

import contextlib
from collections.abc import AsyncGenerator

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis import sse
from services.chassis.call import Call
from services.chassis.paging import encode_page_token

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
        cursor = sse.cursor_in(call, request.last_event_id)
        # From the top: what was missed is the newest.
        from_top = encode_page_token((NOTHING_PROVEN, 0), *home_binding(viewer))
        pieces = self._live.stream(viewer, cursor, from_top, call)
        async with contextlib.aclosing(sse.bodies(pieces, call)) as bodies:
            async for body in bodies:
                yield pb.StreamHomeTimelineResponse(event_stream=body)
