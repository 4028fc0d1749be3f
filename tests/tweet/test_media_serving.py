"""Content over HTTP: headers, ranges, conditions (S001-40)."""

from pathlib import Path

import pytest

from services.chassis.call import Call
from services.chassis.status import Failure
from services.tweet.media.serving import Answer, answer_to

from . import samples
from .harness import Refused, running, settings
from .media_rig import REST, MediaRig, key_of

KEY = "ab" * 32 + ".png"
TAG = b'"%s"' % (b"ab" * 32)


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, (200, 0, 100)),
        ({"range": b"bytes=0-0"}, (206, 0, 1)),
        ({"range": b"bytes=10-19"}, (206, 10, 20)),
        ({"range": b"bytes=10-"}, (206, 10, 100)),
        ({"range": b"bytes=-10"}, (206, 90, 100)),
        ({"range": b"bytes=-1000"}, (206, 0, 100)),
        ({"range": b"bytes=90-1000"}, (206, 90, 100)),
        ({"range": b"bytes=100-"}, (416, 0, 0)),
        ({"range": b"bytes=-0"}, (416, 0, 0)),
        ({"range": b"bytes=5-4"}, (200, 0, 100)),
        ({"range": b"bytes=-"}, (200, 0, 100)),
        ({"range": b"bytes=0-1,5-6"}, (200, 0, 100)),
        ({"range": b"lines=0-1"}, (200, 0, 100)),
        ({"range": b"bytes=0-1", "if-range": TAG}, (206, 0, 2)),
        ({"range": b"bytes=0-1", "if-range": b'"other"'}, (200, 0, 100)),
        ({"if-none-match": TAG}, (304, 0, 0)),
        ({"if-none-match": b'"other", W/' + TAG}, (304, 0, 0)),
        ({"if-none-match": b"*"}, (304, 0, 0)),
        ({"if-none-match": b'"other"', "range": b"bytes=0-1"}, (206, 0, 2)),
        ({"if-none-match": TAG, "range": b"bytes=0-1"}, (304, 0, 0)),
    ],
)
def test_answers(headers: dict[str, bytes], answer: tuple[int, int, int]) -> None:
    sent = {name.encode(): value for name, value in headers.items()}
    assert answer_to(sent, KEY, 100) == Answer(*answer)


async def test_content_may_be_kept_for_ever(media: MediaRig) -> None:
    made = await media.upload(samples.picture())
    served, kind, headers = await media.content(made.url)
    assert kind == "image/jpeg"
    assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert headers[b"etag"] == b'"%s"' % key_of(made.url).partition(".")[0].encode()
    assert headers[b"x-aviary-status"] == b"200"
    assert headers[b"x-aviary-content-length"] == b"%d" % len(served)
    assert headers[b"content-security-policy"] == b"default-src 'none'; sandbox"


async def test_a_range_is_that_part_of_the_bytes(media: MediaRig) -> None:
    made = await media.upload(samples.mp4(filler=1 << 20))
    whole = await media.served(made)
    part, kind, headers = await media.content(made.url, {**REST, b"range": b"bytes=100-700099"})
    assert (part, kind) == (whole[100:700_100], "video/mp4")
    assert headers[b"content-range"] == b"bytes 100-700099/%d" % len(whole)
    part, _, headers = await media.content(made.url, {**REST, b"range": b"bytes=99999999-"})
    assert (part, headers[b"x-aviary-status"]) == (b"", b"416")
    assert headers[b"content-range"] == b"bytes */%d" % len(whole)


async def test_grpc_callers_get_all_of_it_and_no_status(media: MediaRig) -> None:
    made = await media.upload(samples.picture())
    part, _, headers = await media.content(made.url, {b"range": b"bytes=0-1"})
    assert (len(part), headers) == (made.size_bytes, {})


@pytest.mark.parametrize(
    "key",
    ["", "a", "ab" * 32, "ab" * 32 + ".svg", "AB" * 32 + ".png", "../../etc/passwd", KEY],
)
async def test_what_is_no_key_is_not_there(media: MediaRig, key: str) -> None:
    with pytest.raises(Refused) as caught:
        await media.content(key.replace("/", "%2F"))
    assert caught.value.reason == "MEDIA_NOT_FOUND"
    assert caught.value.code.name == "NOT_FOUND"


async def test_downloads_are_bounded(
    dsn: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit OVERLOADED; who leaves in the middle makes room."""
    monkeypatch.setattr("services.tweet.servicer.media.MAX_DOWNLOADS", 1)
    config = settings(tmp_path / "home", dsn, redis_url)
    async with running(config) as tweets:
        media = MediaRig(tweets, config)
        made = await media.upload(samples.mp4(filler=1 << 20))
        first = media.stream(made.url, Call("", {}, None))
        assert await anext(first)
        with pytest.raises(Refused) as caught:
            await media.served(made)
        assert caught.value.reason == "OVERLOADED"
        await first.aclose()
        assert len(await media.served(made)) == made.size_bytes


async def test_what_is_deleted_on_the_way_ends_as_not_there(media: MediaRig) -> None:
    made = await media.upload(samples.mp4(filler=1 << 20))
    stream = media.stream(made.url, Call("", {}, None))
    assert await anext(stream)
    media.clear()
    with pytest.raises(Failure) as caught:
        while True:
            await anext(stream)
    assert caught.value.code.name == "NOT_FOUND"
