"""Uploads that succeed: what is kept, and what is not (S001-04, S003-05, promise 25)."""

import io

import pytest
from PIL import Image

from aviary.tweet.v1 import media_pb2

from . import samples
from .harness import ALICE, BOB, Refused
from .media_rig import MediaRig, key_of

PHOTO, GIF, VIDEO = (
    media_pb2.MEDIA_KIND_PHOTO,
    media_pb2.MEDIA_KIND_ANIMATED_GIF,
    media_pb2.MEDIA_KIND_VIDEO,
)


@pytest.mark.parametrize(
    ("data", "kind", "content_type", "shape", "duration"),
    [
        (samples.picture("JPEG"), PHOTO, "image/jpeg", (640, 480), 0),
        (samples.picture("PNG"), PHOTO, "image/png", (640, 480), 0),
        (samples.picture("WEBP"), PHOTO, "image/webp", (640, 480), 0),
        (samples.animation(), GIF, "image/gif", (400, 300), 200),
        (samples.mp4(), VIDEO, "video/mp4", (1280, 720), 2_500),
        (samples.webm(), VIDEO, "video/webm", (640, 360), 1_500),
        (samples.webm(live=True), VIDEO, "video/webm", (640, 360), 1_500),
    ],
    ids=["jpeg", "png", "webp", "gif", "mp4", "webm", "live webm"],
)
async def test_every_type_is_told_by_its_content(
    media: MediaRig,
    data: bytes,
    kind: media_pb2.MediaKind,
    content_type: str,
    shape: tuple[int, int],
    duration: int,
) -> None:
    """S003-05; a wrong `Content-Type` changes nothing."""
    made = await media.upload(data, content_type="text/html", alt_text="red and blue")
    assert (made.kind, made.content_type, made.alt_text) == (kind, content_type, "red and blue")
    assert ((made.width, made.height), made.duration_ms) == (shape, duration)
    served, served_type, _ = await media.content(made.url)
    assert (len(served), served_type) == (made.size_bytes, content_type)
    assert made == await media.get(made.media_id, user=ALICE)
    assert list(media.uploads.glob("*")) == []


async def test_thumbnails_are_smaller_stills_smallest_first(media: MediaRig) -> None:
    made = await media.upload(samples.picture(size=(2000, 1000)))
    assert [(each.width, each.height) for each in made.thumbnails] == [(320, 160), (960, 480)]
    for each in made.thumbnails:
        served, kind, _ = await media.content(each.url)
        image = Image.open(io.BytesIO(served))
        assert (kind, image.format, image.size) == ("image/webp", "WEBP", (each.width, each.height))
    small = await media.upload(samples.picture(size=(200, 100)))
    assert not small.thumbnails
    still = await media.upload(samples.animation(size=(400, 300)))
    assert [(each.width, each.height) for each in still.thumbnails] == [(320, 240)]


async def test_a_place_in_a_photo_is_not_served(media: MediaRig) -> None:
    """Promise 25: EXIF with GPS; the turn that EXIF asks for is made before it is dropped."""
    data = samples.photo_with_place()
    assert samples.CAMERA.encode() in data
    made = await media.upload(data)
    assert (made.width, made.height) == (480, 640)
    for url in (made.url, *(each.url for each in made.thumbnails)):
        served, _, _ = await media.content(url)
        image = Image.open(io.BytesIO(served))
        assert not image.getexif()
        assert not {"comment", "exif", "xmp", "icc_profile"} & image.info.keys()
        assert samples.CAMERA.encode() not in served
        red, _, blue = image.convert("RGB").getpixel((image.width // 2, 5))  # type: ignore[misc]
        assert red > 200 > blue, "what was on the left is on top"


@pytest.mark.parametrize("data", [samples.mp4(), samples.webm()], ids=["mp4", "webm"])
async def test_a_place_in_a_film_is_not_served(media: MediaRig, data: bytes) -> None:
    """Promise 25: boxes of users' data, tags, tracks that are neither picture nor sound."""
    assert b"+48.8566" in data
    made = await media.upload(data)
    served = await media.served(made)
    assert len(served) == len(data)
    for secret in (b"+48.8566", samples.CAMERA.encode(), b"evil.html"):
        assert secret not in served
    if made.content_type == "video/mp4":
        assert b"PICTURE!" * 20 in served


@pytest.mark.parametrize(
    ("data", "trailer"),
    [
        (samples.picture("JPEG"), samples.archive()),
        (samples.picture("PNG"), samples.archive()),
        (samples.picture("WEBP"), b"<script>alert(1)</script>"),
        (samples.animation(comment=b"<script>alert(1)</script>"), samples.archive()),
    ],
    ids=["jpeg", "png", "webp", "gif"],
)
async def test_polyglots_are_cleaned(media: MediaRig, data: bytes, trailer: bytes) -> None:
    """Promise 25: what is a picture and something else is only a picture afterwards."""
    served = await media.served(await media.upload(data + trailer))
    for other in (trailer, b"<script>", b"evil.html", b"PK\x05\x06"):
        assert other not in served
    Image.open(io.BytesIO(served)).verify()


async def test_an_animation_keeps_its_frames(media: MediaRig) -> None:
    made = await media.upload(samples.animation(frames=7))
    image = Image.open(io.BytesIO(await media.served(made)))
    assert (image.n_frames, image.info["loop"]) == (7, 0)  # type: ignore[attr-defined]
    assert made.duration_ms == 280


async def test_the_same_content_is_stored_once(media: MediaRig) -> None:
    """Two users, two media, one object; it goes with the last of them."""
    data = samples.picture(size=(300, 200))
    mine, theirs = await media.upload(data), await media.upload(data, user=BOB)
    assert mine.media_id != theirs.media_id
    assert mine.url == theirs.url
    assert media.objects() == {key_of(mine.url)}
    assert await media.rows() == 2


async def test_a_medium_is_its_owners_until_a_tweet_shows_it(media: MediaRig) -> None:
    made = await media.upload(samples.picture())
    for user in (0, BOB):
        with pytest.raises(Refused) as caught:
            await media.get(made.media_id, user=user)
        assert caught.value.reason == "MEDIA_NOT_FOUND"
    assert (await media.get(made.media_id, user=ALICE)).media_id == made.media_id


async def test_uploading_needs_a_caller(media: MediaRig) -> None:
    with pytest.raises(Refused) as caught:
        await media.upload(samples.picture(), user=0)
    assert caught.value.reason == "UNAUTHENTICATED"
    await media.assert_nothing_left()
