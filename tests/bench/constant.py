"""A Timeline service that answers one page, ready in two files: the floor of every read.

`python -m services tests.bench.constant`, with the page as protobuf and as JSON in the files that
BENCH_PAGE names (`FILE` and `FILE.json`). Method, path, payload, hosts, chassis and edge are those
of the real one; only the work is missing.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call, Json
from services.chassis.server import Runtime, Service

PAGE = "BENCH_PAGE"


class ConstantTimelines:
    """Answers the same to everybody."""

    def __init__(self, page: bytes, json: bytes) -> None:
        self._page = page
        self._json = Json(json)

    async def get_home_timeline(self, _request: pb.GetHomeTimelineRequest, call: Call) -> bytes:
        """The page."""
        return self._json if call.takes_json else self._page


@contextlib.asynccontextmanager
async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
    """The service with its page."""
    file = Path(os.environ[PAGE])
    page, json = file.read_bytes(), file.with_suffix(".json").read_bytes()
    service = pb.DESCRIPTOR.services_by_name["TimelineService"]
    yield Service({service: ConstantTimelines(page, json)})
