"""Media: bytes a second in and out through the edge, beside a plain aiohttp server."""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.ports import free_port
from tests.tweet import samples

from .bench import Bench, some
from .figures import Figure
from .hosts import accepts, process, until

STAGE = "media"
FIGURES = (
    "media-upload", "plain-upload", "media-download", "plain-download", "photo-upload"
)  # fmt: skip
CLIENTS = 4
"""Clients at a time, each a curl of its own."""
VIDEO_MIB = 16
PHOTO = (1600, 1200)
_SERIAL_AT = 40
"""Where in the film a number may stand: within its picture data."""
_numbers = itertools.count()


async def media(bench: Bench) -> None:
    """Rates of films of 16 MiB both ways, and of photos."""
    port, log = free_port(), bench.folder / "plain.log"
    served = bench.folder / "plain"
    served.mkdir()
    (served / "film").write_bytes(_film())
    command = [sys.executable, "-m", "tests.bench.plain_media", str(port), str(served)]
    async with process(command, {}, log):
        await until(lambda: accepts(port))
        edge, plain = bench.world.mesh.edge_url, f"http://127.0.0.1:{port}"
        (user,) = some(bench.world.people, 1)
        auth = ("-H", f"Authorization: Bearer {bench.world.token(user)}")
        film = await _stored(bench, edge, auth)
        await bench.take_turns(
            STAGE,
            [
                _moved("media-upload", "upload of a film of 16 MiB, REST",
                       _upload(bench, f"{edge}/api/v1/media", auth), ("plain-upload",)),
                _moved("plain-upload", "plain aiohttp: the same body to a file",
                       _upload(bench, f"{plain}/upload", ())),
                _moved("media-download", "download of that film, REST",
                       _download(f"{edge}{film}"), ("plain-download",)),
                _moved("plain-download", "plain aiohttp: the same file",
                       _download(f"{plain}/files/film")),
                Figure("photo-upload", "photos of 1600 x 1200 taken in, two thumbnails each",
                       "photos/s", _photos(bench, f"{edge}/api/v1/media", auth)),
            ],
        )  # fmt: skip


def _moved(
    name: str, title: str, once: Callable[[int], Awaitable[None]], limits: tuple[str, ...] = ()
) -> Figure:
    async def measure(seconds: float) -> float:
        return VIDEO_MIB * await _rate(once, seconds)

    return Figure(name, title, "MiB/s", measure, limits)


async def _rate(once: Callable[[int], Awaitable[None]], seconds: float) -> float:
    """Calls a second of several clients; each finishes what it has begun."""
    started = time.perf_counter()

    async def client(number: int) -> int:
        done = 0
        while time.perf_counter() - started < seconds:
            await once(number)
            done += 1
        return done

    counts = await asyncio.gather(*map(client, range(CLIENTS)))
    return sum(counts) / (time.perf_counter() - started)


def _upload(bench: Bench, url: str, auth: tuple[str, ...]) -> Callable[[int], Awaitable[None]]:
    """Uploads of films that differ, so that each is stored."""

    async def once(client: int) -> None:
        file = bench.folder / f"film-{client}"
        await asyncio.to_thread(_renew, file)
        await _curl("-X", "POST", "-T", str(file), *auth, url)

    return once


def _download(url: str) -> Callable[[int], Awaitable[None]]:
    async def once(_client: int) -> None:
        await _curl(url)

    return once


def _photos(bench: Bench, url: str, auth: tuple[str, ...]) -> Callable[[float], Awaitable[float]]:
    file = bench.folder / "photo.jpg"
    file.write_bytes(samples.scene(PHOTO))

    async def once(_client: int) -> None:
        await _curl("-X", "POST", "-T", str(file), *auth, url)

    return lambda seconds: _rate(once, seconds)


async def _stored(bench: Bench, edge: str, auth: tuple[str, ...]) -> str:
    """A film in the store; its path."""
    file = bench.folder / "film"
    file.write_bytes(_film())
    command = ("curl", "-sSf", "-X", "POST", "-T", str(file), *auth, f"{edge}/api/v1/media")
    run = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await run.communicate()
    path: str = json.loads(output)["media"]["url"]
    return path


def _film() -> bytes:
    return samples.mp4(filler=(VIDEO_MIB << 20) - len(samples.mp4(filler=0)))


def _renew(file: Path) -> None:
    """Make a film unlike all before."""
    if not file.exists():
        file.write_bytes(_film())
    with file.open("r+b") as film:
        film.seek(_SERIAL_AT)
        film.write(next(_numbers).to_bytes(8, "big"))


async def _curl(*arguments: str) -> None:
    run = await asyncio.create_subprocess_exec("curl", "-sSf", "-o", "/dev/null", *arguments)
    if await run.wait():
        raise RuntimeError(f"curl failed: {run.returncode}")
