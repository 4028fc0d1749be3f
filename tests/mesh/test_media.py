"""Media through the edge: REST and gRPC, streamed both ways (S001-04, S003-05, S001-40)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from clients.errors import PeerError
from clients.tweet import TweetClient
from tests.tweet import samples

from .command_line import aviary
from .eventually import eventually
from .world import World

PIECE = 256 << 10
UPLOAD = "/api/v1/media"


@pytest.fixture
async def me(world: World) -> int:
    (user,) = await world.new_users(1)
    return user


async def upload(world: World, user: int, data: bytes, **query: str) -> dict[str, Any]:
    """Upload over REST."""
    reply = await world.api.post(UPLOAD, content=data, params=query, headers=world.auth(user))
    assert reply.status_code == 200, reply.text
    media: dict[str, Any] = reply.json()["media"]
    return media


def left(world: World) -> list[Path]:
    """Files of uploads under way."""
    return [file for file in world.mesh.settings.uploads_path.rglob("*") if file.is_file()]


def memory(world: World) -> int:
    """Resident bytes of the Tweet service, without its inspecting children."""
    process = psutil.Process(world.mesh.pid("tweet"))
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_info().rss for each in family if "inspect" not in each.cmdline())


async def test_upload_attach_and_fetch(world: World, me: int) -> None:
    """S001-04, S003-05: by REST alone; what is served may be cached for ever."""
    photo = await upload(world, me, samples.photo_with_place(), alt_text="red & blue")
    assert (photo["content_type"], photo["alt_text"]) == ("image/jpeg", "red & blue")
    tweet = await world.post(me, "see https://example.org", media_ids=[photo["media_id"]])
    assert tweet["media"] == [photo]
    assert tweet["entities"]["media"][0]["media_id"] == photo["media_id"]
    shown = (await world.api.get(f"/api/v1/media/{photo['media_id']}")).json()["media"]
    assert shown == photo
    reply = await world.api.get(photo["url"])
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["content-length"] == photo["size_bytes"] == str(len(reply.content))
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["etag"].strip('"') == photo["url"].split("/")[-1].partition(".")[0]
    assert samples.CAMERA.encode() not in reply.content
    assert not [name for name in reply.headers if name.startswith("x-aviary-")]


async def test_ranges_and_conditions(world: World, me: int) -> None:
    video = await upload(world, me, samples.mp4(filler=1 << 20))
    url = video["url"]
    whole = (await world.api.get(url)).content
    part = await world.api.get(url, headers={"range": "bytes=1000-300999"})
    assert (part.status_code, part.content) == (206, whole[1_000:301_000])
    assert part.headers["content-range"] == f"bytes 1000-300999/{len(whole)}"
    assert part.headers["content-length"] == "300000"
    assert part.headers["content-type"] == "video/mp4"
    tail = await world.api.get(url, headers={"range": "bytes=-5"})
    assert (tail.status_code, tail.content) == (206, whole[-5:])
    beyond = await world.api.get(url, headers={"range": "bytes=9999999-"})
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
    kept = await world.api.get(url, headers={"if-none-match": part.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")
    assert kept.headers["etag"] == part.headers["etag"]


async def test_a_type_the_header_lies_about(world: World, me: int) -> None:
    """The content wins."""
    headers = {**world.auth(me), "content-type": "text/html"}
    reply = await world.api.post(UPLOAD, content=samples.picture("PNG"), headers=headers)
    assert reply.json()["media"]["content_type"] == "image/png"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "MEDIA_TYPE_UNSUPPORTED"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 9_000, "MEDIA_TYPE_UNSUPPORTED"),
        (samples.picture("PNG", (1, 50_000)), "MEDIA_TOO_LARGE"),
        (samples.noise("JPEG", (2_600, 2_600)), "MEDIA_TOO_LARGE"),
        (samples.picture()[:-500], "MEDIA_BROKEN"),
    ],
    ids=["zero bytes", "svg", "bomb", "10 MB photo", "cut"],
)
async def test_refusals(world: World, me: int, data: bytes, reason: str) -> None:
    """The same over REST and gRPC; nothing is left of either."""
    reply = await world.api.post(UPLOAD, content=data, headers=world.auth(me))
    assert reply.status_code == 400, reply.text
    assert reply.json()["details"][0]["reason"] == reason
    async with client(world, me) as tweets:
        with pytest.raises(PeerError) as caught:
            await tweets.upload(pieces(data))
    assert caught.value.reason == reason, str(caught.value)
    await eventually(lambda: rows_of(world, me), 0)
    assert left(world) == []


async def test_uploads_need_a_token(world: World) -> None:
    reply = await world.api.post(UPLOAD, content=samples.picture())
    assert reply.status_code == 401


async def test_what_is_not_there(world: World) -> None:
    for path in (f"/media/{'ab' * 32}.png", "/media/x", "/api/v1/media/1"):
        reply = await world.api.get(path)
        assert reply.status_code == 404
        assert reply.json()["details"][0]["reason"] == "MEDIA_NOT_FOUND"
    for verb, path in (("GET", "/media/a/b"), ("POST", "/media/x"), ("DELETE", UPLOAD)):
        reply = await world.api.request(verb, path)
        assert reply.status_code == 404
        assert reply.json()["details"][0]["reason"] == "UNKNOWN_PATH"


async def test_64_mb_stay_under_100_mb_of_memory(world: World, me: int) -> None:
    """Issue 4: an upload is never whole in memory, nor is what is served."""
    data = samples.mp4(filler=(64 << 20) - len(samples.mp4(filler=0)))
    await upload(world, me, samples.mp4())  # what is loaded once is not the upload's
    before, most = memory(world), 0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, memory(world))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    video = await upload(world, me, data)
    served = await world.api.get(video["url"])
    done.set()
    await watching
    assert (len(served.content), video["size_bytes"]) == (64 << 20, str(64 << 20))
    assert 0 < most - before < 100 << 20, f"{(most - before) >> 20} MB more"
    again = await world.api.post(UPLOAD, content=data + b"\0", headers=world.auth(me))
    assert again.json()["details"][0]["metadata"]["maximum_bytes"] == str(64 << 20)


async def test_a_cut_upload_leaves_nothing(world: World, me: int) -> None:
    """The connection breaks in the middle of the body."""
    host, port = world.mesh.edge_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {UPLOAD} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.token(me)}\r\n"
    writer.write(head.encode() + b"content-length: 9000000\r\n\r\n" + samples.mp4()[:2_000])
    writer.write(bytes(1 << 20))
    await writer.drain()

    async def files() -> bool:
        return bool(left(world))

    await eventually(files, True)
    writer.transport.abort()
    await eventually(files, False)
    assert await rows_of(world, me) == 0
    assert reader


async def test_by_grpc(world: World, me: int) -> None:
    data = samples.webm()
    async with client(world, me) as tweets:
        media = await tweets.upload(pieces(data), alt_text="a film")
        assert (media.content_type, media.alt_text) == ("video/webm", "a film")
        assert await tweets.media(media.media_id) == media
        served = [piece async for piece in tweets.content(media.url.rpartition("/")[2])]
    assert len(b"".join(served)) == len(data)


async def test_a_deleted_tweet_takes_its_media_along(world: World, me: int) -> None:
    photo = await upload(world, me, samples.picture(size=(333, 222)))
    tweet = await world.post(me, "", media_ids=photo["media_id"])
    assert (await world.api.get(photo["url"])).status_code == 200
    await world.act(me, "DELETE", f"/api/v1/tweets/{tweet['tweet_id']}")

    async def status() -> int:
        return (await world.api.get(photo["url"])).status_code

    await eventually(status, 404)


async def test_only_media(world: World, me: int) -> None:
    """That a tweet has media reaches `only_media` of timelines and `has:media` of the search."""
    photo = await upload(world, me, samples.picture(size=(100, 100)))
    await world.post(me, "words")
    word = f"picture{me}"
    tweet = await world.post(me, f"{word} of mine", media_ids=[photo["media_id"]])
    await world.post(me, f"{word} of nothing")
    found = await world.walk("/api/v1/user_timeline", me, 10, only_media="true")
    assert found == [int(tweet["tweet_id"])]

    async def searched() -> list[str]:
        query = {"query": f"{word} has:media", "sort": "latest"}
        reply = await world.api.get("/api/v1/search", params=query)
        return [each["tweet_id"] for each in reply.json()["tweets"]]

    await eventually(searched, [tweet["tweet_id"]])


async def test_commands(world: World, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(samples.picture("PNG"))

    async def run(*arguments: str) -> str:
        ran = await asyncio.to_thread(
            aviary, world.mesh, *arguments, XDG_CONFIG_HOME=str(tmp_path / "config")
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    await run("signup", "cli_media", "--password", "correct horse")
    media_id, url = (await run("upload", str(picture), "--alt", "two colours")).split()
    assert media_id.isdigit()
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(url)).headers["content-type"] == "image/png"
        posted = await run("tweet", "", "--media", str(picture))
        tweet = json.loads((await anybody.get(posted)).text)
    assert [each["content_type"] for each in tweet["media"]] == ["image/png"]


def client(world: World, user: int) -> TweetClient:
    edge = world.mesh.edge_url.removeprefix("http://")
    return TweetClient(edge, token=world.token(user))


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for piece in slices(data):
        yield piece


def slices(data: bytes) -> Iterator[bytes]:
    return (data[at : at + PIECE] for at in range(0, len(data), PIECE))


async def rows_of(world: World, user: int) -> int:
    ((count,),) = await world.sql("tweet", f"SELECT count(*) FROM media WHERE user_id = {user}")
    return int(count)
