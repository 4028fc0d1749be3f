"""Media of a running Tweet service: uploads, content, and what is left behind."""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.struct_pb2 import ListValue, Value

from aviary.tweet.v1 import media_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import USER_ID, Call
from services.chassis.config import Settings
from services.chassis.status import Failure

from .harness import ALICE, PATH, Refused, Tweets

PIECE_BYTES = 64 << 10
SECONDS = 10.0
REST = {b"x-envoy-original-path": b"/media/x"}


class MediaRig:
    """What tests do with media, and what they look at afterwards."""

    def __init__(self, tweets: Tweets, config: Settings) -> None:
        self.tweets = tweets
        self.folder = config.media_folder
        self.uploads = config.uploads_path

    def clear(self) -> None:
        for file in self.folder.glob("*"):
            file.unlink()
        shutil.rmtree(self.uploads, ignore_errors=True)

    async def upload(
        self,
        data: bytes | AsyncIterator[bytes],
        *,
        user: int = ALICE,
        alt_text: str = "",
        content_type: str = "",
    ) -> media_pb2.Media:
        """Upload bytes, in pieces; the first message carries what is not bytes."""
        source = pieces(data) if isinstance(data, bytes) else data

        async def raw() -> AsyncIterator[bytes]:
            first = HttpBody(content_type=content_type)
            yield pb.CreateMediaRequest(alt_text=alt_text, body=first).SerializeToString()
            async for piece in source:
                yield pb.CreateMediaRequest(body=HttpBody(data=piece)).SerializeToString()

        call = Call(PATH + "CreateMedia", {USER_ID: str(user).encode()} if user else {}, None)
        serve = self.tweets.server.table[PATH + "CreateMedia"].unary
        assert serve is not None
        try:
            answer = await serve(raw(), call)
        except Failure as failure:
            raise Refused(failure) from None
        return pb.CreateMediaResponse.FromString(answer).media

    async def get(self, media_id: int, *, user: int = 0, edge: bool = True) -> media_pb2.Media:
        request = pb.GetMediaRequest(media_id=media_id)
        raw, _ = await self.tweets.call("GetMedia", request, user=user, edge=edge)
        return pb.GetMediaResponse.FromString(raw).media

    async def content(
        self, url: str, headers: Mapping[bytes, bytes] = REST
    ) -> tuple[bytes, str, dict[bytes, bytes]]:
        """The bytes at a URL, their type, and the headers."""
        call = Call(PATH + "GetMediaContent", dict(headers), None)
        try:
            raws = [raw async for raw in self.stream(url, call)]
        except Failure as failure:
            raise Refused(failure) from None
        parts = [pb.GetMediaContentResponse.FromString(raw).content for raw in raws]
        return b"".join(part.data for part in parts), parts[0].content_type, dict(call.initial)

    def stream(self, url: str, call: Call) -> AsyncGenerator[bytes, None]:
        """The answer to a request for content, message by message."""
        serve = self.tweets.server.table[PATH + "GetMediaContent"].stream
        assert serve is not None
        request = pb.GetMediaContentRequest(key=url.rpartition("/")[2])
        return serve(request.SerializeToString(), call)

    async def served(self, media: media_pb2.Media) -> bytes:
        """A medium's bytes as they are served."""
        return (await self.content(media.url))[0]

    def objects(self) -> set[str]:
        """Names in the object store."""
        return {file.name for file in self.folder.glob("*")}

    async def rows(self) -> int:
        ((count,),) = await self.tweets.sql("SELECT count(*) FROM media")
        return int(count)

    async def assert_nothing_left(self) -> None:
        """No row, no note, no object, no file of an upload."""
        await self.until_objects(set())
        assert await self.rows() == 0
        assert await self.tweets.sql("SELECT key FROM media_garbage") == []
        assert list(self.uploads.glob("*")) == []

    async def until_objects(self, expected: set[str]) -> None:
        """Wait until exactly these are stored."""
        give_up = time.monotonic() + SECONDS
        while self.objects() != expected and time.monotonic() < give_up:
            await asyncio.sleep(0.02)
        assert self.objects() == expected


def ids(*media: media_pb2.Media | int) -> Value:
    """`media_ids` of a tweet."""
    numbers = [each if isinstance(each, int) else each.media_id for each in media]
    return Value(list_value=ListValue(values=[Value(string_value=str(n)) for n in numbers]))


def key_of(url: str) -> str:
    """The object behind a URL."""
    return Path(url).name


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """Bytes as a client sends them."""
    for at in range(0, len(data), PIECE_BYTES):
        yield data[at : at + PIECE_BYTES]
