"""Uploads that are refused, each with the right error, and nothing left behind (promise 25)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import StatusCode
from PIL import Image

from services.chassis.config import Settings
from services.tweet.servicer.media import HEARD_BYTES

from . import samples
from .harness import ALICE, BOB, Refused, running, settings
from .media_rig import MediaRig, pieces

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "MEDIA_TYPE_UNSUPPORTED"),
        (b"\xff", "MEDIA_TYPE_UNSUPPORTED"),
        (SVG, "MEDIA_TYPE_UNSUPPORTED"),
        (b"<html>" + samples.picture(), "MEDIA_TYPE_UNSUPPORTED"),
        (samples.archive() + samples.picture(), "MEDIA_TYPE_UNSUPPORTED"),
        (samples.picture("TIFF"), "MEDIA_TYPE_UNSUPPORTED"),
        (samples.mp4().replace(b"isom", b"qt  ", 1), "MEDIA_TYPE_UNSUPPORTED"),
        (samples.picture("PNG", (1, 50_000)), "MEDIA_TOO_LARGE"),
        (samples.saved(Image.new("1", (50_000, 50_000)), "PNG"), "MEDIA_TOO_LARGE"),
        (samples.saved(Image.new("L", (8_000, 4_000)), "JPEG"), "MEDIA_TOO_LARGE"),
        (samples.animation(frames=250, size=(600, 600)), "MEDIA_TOO_LARGE"),
        (samples.mp4(shape=(50_000, 2)), "MEDIA_TOO_LARGE"),
        (samples.webm(shape=(50_000, 2)), "MEDIA_TOO_LARGE"),
        (cut(samples.picture("JPEG")), "MEDIA_BROKEN"),
        (cut(samples.picture("PNG")), "MEDIA_BROKEN"),
        (cut(samples.picture("WEBP")), "MEDIA_BROKEN"),
        (cut(samples.animation()), "MEDIA_BROKEN"),
        (cut(samples.mp4()), "MEDIA_BROKEN"),
        (cut(samples.webm()), "MEDIA_BROKEN"),
        (cut(samples.webm(live=True)), "MEDIA_BROKEN"),
        (b"GIF89a/*" + b"x" * 100 + b"*/=1;alert(1)", "MEDIA_BROKEN"),
        (b"\xff\xd8\xff" + SVG, "MEDIA_BROKEN"),
        (samples.mp4() + samples.archive(), "MEDIA_BROKEN"),
        (samples.webm() + samples.archive(), "MEDIA_BROKEN"),
        (samples.mp4(shape=(0, 0)), "MEDIA_BROKEN"),
    ],
    ids=[
        *("zero bytes", "one byte", "svg", "html first", "zip first", "tiff", "quicktime"),
        *("strip of 1 x 50,000", "bomb of 50,000 x 50,000", "32 million pixels", "long gif"),
        *("wide mp4", "wide webm", "cut jpeg", "cut png", "cut webp", "cut gif", "cut mp4"),
        *("cut webm", "cut live webm", "gif script", "jpeg svg", "mp4 zip", "webm zip"),
        "mp4 of no size",
    ],
)
async def test_bad_media(media: MediaRig, data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        await media.upload(data, content_type="image/jpeg")
    assert (caught.value.reason, caught.value.fields) == (reason, ["body"])
    assert caught.value.code is StatusCode.INVALID_ARGUMENT
    await media.assert_nothing_left()
    assert (await media.upload(samples.picture())).media_id, "the service goes on"


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (samples.noise("JPEG", (2_600, 2_600)), 5 << 20),
        (samples.mp4(filler=64 << 20), 64 << 20),
    ],
    ids=["6 MB photo", "video beyond 64 MB"],
)
async def test_too_many_bytes_are_refused_on_the_way(
    media: MediaRig, data: bytes, limit: int
) -> None:
    """S003-05: the error names the limit; a little more is heard out, so that it is heard."""
    assert len(data) > limit
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        async for piece in pieces(data + data):
            read += len(piece)
            yield piece

    with pytest.raises(Refused) as caught:
        await media.upload(counted())
    assert caught.value.reason == "MEDIA_TOO_LARGE"
    assert caught.value.metadata == {"field": "body", "maximum_bytes": str(limit)}
    assert read < limit + HEARD_BYTES + (1 << 20)
    await media.assert_nothing_left()


async def test_a_video_of_just_64_mb_is_taken(media: MediaRig) -> None:
    bare = len(samples.mp4(filler=0))
    made = await media.upload(samples.mp4(filler=(64 << 20) - bare))
    assert made.size_bytes == 64 << 20


async def test_a_long_description_is_refused(media: MediaRig) -> None:
    with pytest.raises(Refused) as caught:
        await media.upload(samples.picture(), alt_text="a" * 1_001)
    assert (caught.value.reason, caught.value.fields) == ("INVALID_ARGUMENT", ["alt_text"])
    await media.assert_nothing_left()


@pytest.mark.parametrize("when", ["receiving", "inspecting"])
async def test_a_cut_upload_leaves_nothing(media: MediaRig, when: str) -> None:
    """The client goes away while it sends, or while its picture is decoded."""
    sent = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield samples.noise("JPEG", (1_500, 1_500))
        sent.set()
        if when == "receiving":
            await asyncio.Event().wait()

    task = asyncio.create_task(media.upload(stalling()))
    await sent.wait()
    async with asyncio.timeout(10):
        while not list(media.uploads.glob("*/body")):
            await asyncio.sleep(0.01)
    assert not task.done(), "it was cut while something was under way"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await media.assert_nothing_left()


async def test_a_slow_upload_is_given_up(dsn: str, redis_url: str, tmp_path: Path) -> None:
    config: Settings = replace(settings(tmp_path / "home", dsn, redis_url), upload_idle_seconds=0.2)
    async with running(config) as tweets:
        rig = MediaRig(tweets, config)

        async def dripping() -> AsyncIterator[bytes]:
            yield samples.picture()[:100]
            await asyncio.Event().wait()

        with pytest.raises(Refused) as caught:
            await rig.upload(dripping())
        assert caught.value.reason == "DEADLINE_EXCEEDED"
        await rig.assert_nothing_left()


@pytest.mark.parametrize(("most", "taken", "who"), [(1, 1, BOB), (32, 4, ALICE)])
async def test_uploads_are_bounded(
    dsn: str, redis_url: str, tmp_path: Path, most: int, taken: int, who: int
) -> None:
    """In all, and of one user."""
    config = replace(settings(tmp_path / "home", dsn, redis_url), max_uploads=most)
    async with running(config) as tweets:
        rig = MediaRig(tweets, config)
        begun, end = asyncio.Semaphore(0), asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            begun.release()
            yield samples.picture(size=(20, 10))
            await end.wait()

        uploads = [asyncio.create_task(rig.upload(waiting())) for _ in range(taken)]
        for _ in uploads:
            await begun.acquire()
        with pytest.raises(Refused) as caught:
            await rig.upload(samples.picture(), user=who)
        assert caught.value.reason == "OVERLOADED"
        end.set()
        await asyncio.gather(*uploads)
        assert (await rig.upload(samples.picture(), user=who)).media_id, "there is room again"
