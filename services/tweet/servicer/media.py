"""Media: uploading them, what is known of them, and their bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from google.api.httpbody_pb2 import HttpBody

from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import EDGE, Call
from services.chassis.errors import ServiceError
from services.chassis.visibility import VISIBLE, Subject, Visibility

from ..errors import NoSuchMediaError
from ..media.domain import MediaRow, check_alt_text
from ..media.gate import DownloadGate
from ..media.messages import message_of
from ..media.objects import MISSING, MediaObjects
from ..media.serving import Answer, answer_to, content_type_of, headers_of
from ..media.store import MediaStore
from ..media.uploading import Uploader

TRANSCODED = b"x-envoy-original-path"
"""What a call over REST has: its answer may have another status than 200."""
HEARD_BYTES, HEARD_SECONDS = 16 << 20, 5.0
"""How much more is taken of an upload that is refused already: a photo of three times the limit is
heard out. A grpcio client that is cut off while it sends reports INTERNAL instead of the reason."""
MAX_DOWNLOADS = 256
"""Content that is sent at a time. Who reads slowly keeps about 4 MB each in memory."""


class MediaMethods:
    """CreateMedia, GetMedia, GetMediaContent."""

    def __init__(
        self, uploader: Uploader, store: MediaStore, objects: MediaObjects, visibility: Visibility
    ) -> None:
        self._uploader = uploader
        self._media_store = store
        self._objects = objects
        self._media_visibility = visibility
        self._downloads = DownloadGate(MAX_DOWNLOADS)

    async def create_media(
        self, requests: AsyncIterator[pb.CreateMediaRequest], call: Call
    ) -> pb.CreateMediaResponse:
        """Take a photo or a video in."""
        user_id = call.require_caller()
        first = await anext(requests, pb.CreateMediaRequest())
        alt_text = check_alt_text(first.alt_text)

        async def pieces() -> AsyncIterator[bytes]:
            yield first.body.data
            async for request in requests:
                yield request.body.data

        try:
            row = await self._uploader.upload(user_id, alt_text, pieces())
        except ServiceError:
            await _hear_out(requests)
            raise
        return pb.CreateMediaResponse(media=message_of(row))

    async def get_media(self, request: pb.GetMediaRequest, call: Call) -> pb.GetMediaResponse:
        """Answer what is known of a medium."""
        row = (await self._media_store.get([request.media_id])).get(request.media_id)
        if row is None or not await self._may_see(row, call):
            raise NoSuchMediaError(media_id=request.media_id)
        return pb.GetMediaResponse(media=message_of(row))

    async def get_media_content(
        self, request: pb.GetMediaContentRequest, call: Call
    ) -> AsyncIterator[pb.GetMediaContentResponse]:
        """Stream the bytes; over REST with ranges and conditions."""
        content_type = content_type_of(request.key)
        size = await self._objects.size(request.key) if content_type else None
        if size is None:
            raise NoSuchMediaError(media_id=request.key[:80])
        answer = Answer(200, 0, size)
        if TRANSCODED in call.headers:
            answer = answer_to(call.headers, request.key, size)
            call.initial += headers_of(answer, request.key, size)
        if answer.start == answer.end:
            yield _piece(content_type, b"")
            return
        with self._downloads:
            try:
                async for piece in self._objects.get(request.key, answer.start, answer.end):
                    yield _piece(content_type, piece)
                    content_type = ""
            except MISSING:  # deleted on the way
                raise NoSuchMediaError(media_id=request.key) from None

    async def _may_see(self, row: MediaRow, call: Call) -> bool:
        """Whether it is the caller's, or in a tweet whose author the caller may see."""
        if EDGE not in call.headers or row.user_id == call.caller.user_id:
            return True
        if not await self._media_store.is_used(row.media_id):
            return False
        author = Subject(row.user_id)
        rules = await self._media_visibility.rules(
            call.caller.user_id, Surface.SURFACE_TWEET, [author]
        )
        return rules[author] == VISIBLE


async def _hear_out(requests: AsyncIterator[pb.CreateMediaRequest]) -> None:
    """Throw away what is still being sent, for a while: who is cut off misses why."""
    heard = 0
    with contextlib.suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(HEARD_SECONDS):
            async for request in requests:
                heard += len(request.body.data)
                if heard > HEARD_BYTES:
                    return


def _piece(content_type: str, data: bytes) -> pb.GetMediaContentResponse:
    return pb.GetMediaContentResponse(content=HttpBody(content_type=content_type, data=data))
