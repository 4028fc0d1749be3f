"""The command that uploads a photo or a video, with a progress bar for what takes time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.chassis.config import Settings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from aviary.tweet.v1.media_pb2 import Media
    from clients.tweet import TweetClient

PIECE_BYTES = 256 << 10
File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="JPEG, PNG, WebP, GIF, MP4 or WebM.")
]
Alt = Annotated[str, typer.Option("--alt", help="What it shows, for those who cannot see it.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("upload")(upload_file)


def upload_file(file: File, alt: Alt = "") -> None:
    """Upload a photo or a video; prints its media id and URL."""
    from clients.cli.login import current
    from clients.cli.place import edge_address
    from clients.tweet import TweetClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        me = await current(edge)
        async with TweetClient(edge, token=me.access_token) as tweets:
            media = await upload(tweets, file, alt)
        typer.echo(f"{media.media_id}  http://{edge}{media.url}")

    asyncio.run(run())


async def upload(tweets: "TweetClient", file: Path, alt_text: str = "") -> "Media":
    """Upload a file."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        size = await asyncio.to_thread(lambda: file.stat().st_size)
        task = progress.add_task(file.name, total=size)
        return await tweets.upload(_pieces(file, progress, task), alt_text=alt_text)


async def _pieces(file: Path, progress: "Progress", task: "TaskID") -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as source:
        while piece := await asyncio.to_thread(source.read, PIECE_BYTES):
            yield piece
            progress.advance(task, len(piece))
