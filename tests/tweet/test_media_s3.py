"""The object store as S3: a real S3 API over HTTP (S000-34)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port

from . import samples
from .harness import BOB, Refused, running, settings
from .media_rig import REST, MediaRig, ids, key_of

BUCKET = "aviary-media"
KEYS = "region=us-east-1&access_key_id=test&secret_access_key=test"


class S3:
    """A bucket of a running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.location = f"s3://{BUCKET}/some/prefix?endpoint={url}&{KEYS}"

    async def make(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.put(f"{self.url}/{BUCKET}")).raise_for_status()

    async def keys(self) -> set[str]:
        """Names of the objects, without the prefix."""
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"{self.url}/{BUCKET}?list-type=2")).text
        named = [part.partition("</Key>")[0] for part in text.split("<Key>")[1:]]
        assert all(name.startswith("some/prefix/") for name in named)
        return {name.rpartition("/")[2] for name in named}


@asynccontextmanager
async def serving(port: int) -> AsyncIterator[S3]:
    """An S3 server as a process of its own."""
    program = Path(sys.executable).with_name("moto_server")
    arguments = (str(program), "-H", "127.0.0.1", "-p", str(port))
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(30):
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{port}/moto-api/data.json")
                    break
                except httpx.TransportError:
                    assert process.returncode is None, "the server ended"
                    await asyncio.sleep(0.1)
        s3 = S3(f"http://127.0.0.1:{port}")
        await s3.make()
        yield s3
    finally:
        process.kill()
        await process.wait()


@pytest.fixture(scope="module")
async def s3() -> AsyncIterator[S3]:
    async with serving(free_port()) as started:
        yield started


@asynccontextmanager
async def rig_at(s3: S3, home: Path, dsn: str, redis_url: str) -> AsyncIterator[MediaRig]:
    config = replace(settings(home, dsn, redis_url), object_store=s3.location)
    async with running(config) as tweets:
        yield MediaRig(tweets, config)


async def test_from_upload_to_deletion(s3: S3, dsn: str, redis_url: str, tmp_path: Path) -> None:
    """The video goes in several parts; content once for two users; a range; gone when unused."""
    async with rig_at(s3, tmp_path, dsn, redis_url) as media:
        video = await media.upload(samples.mp4(filler=12 << 20))
        photo = await media.upload(samples.picture(size=(1_000, 500)))
        await media.upload(samples.picture(size=(1_000, 500)), user=BOB)
        thumbnails = {key_of(each.url) for each in photo.thumbnails}
        assert await s3.keys() == {key_of(video.url), key_of(photo.url)} | thumbnails
        assert not media.folder.exists()
        whole = await media.served(video)
        assert len(whole) == video.size_bytes
        part, _, _ = await media.content(video.url, {**REST, b"range": b"bytes=5000000-9999999"})
        assert part == whole[5_000_000:10_000_000]
        for shown in (video, photo):
            tweet = await media.tweets.create(status="x", media_ids=ids(shown))
            await media.tweets.delete(tweet.tweet_id)
        async with asyncio.timeout(10):
            while key_of(video.url) in await s3.keys():
                await asyncio.sleep(0.05)
        assert await s3.keys() == {key_of(photo.url)} | thumbnails, "somebody else's photo"
        with pytest.raises(Refused) as caught:
            await media.content(video.url)
        assert caught.value.reason == "MEDIA_NOT_FOUND"


async def test_while_it_is_away_uploads_fail_and_leave_nothing(
    dsn: str, redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    away = S3(f"http://127.0.0.1:{port}")
    async with rig_at(away, tmp_path, dsn, redis_url) as media:
        with pytest.raises(Refused) as caught:
            await media.upload(samples.picture())
        assert caught.value.reason == "UNAVAILABLE"
        assert await media.rows() == 0
        assert list(media.uploads.glob("*")) == []
        async with serving(port) as back:
            made = await media.upload(samples.picture())
            assert await media.served(made)
            assert await back.keys() >= {key_of(made.url)}
