"""`python -m tests.bench`: every figure in alternating rounds, medians and spread, one table."""

import argparse
import asyncio
import contextlib
import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress

from clients.timeline import TimelineClient
from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh, running, stores

from . import fanout, figures
from .figures import Figure
from .hosts import replica
from .load import ToolMissingError, check_tools
from .rest import at_rest
from .world import BenchWorld, populate

HOSTS = ("envoy", "grpcio")
console = Console(highlight=False, soft_wrap=True)


async def main(seconds: float, rounds: int) -> None:
    """Measure everything and print the table."""
    check_tools()
    console.print(
        f"{platform.machine()}, {psutil.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    with _home() as home:
        async with running(Settings(home=home, edge_port=0, log_level="warning")) as mesh:
            rss, cpu = await at_rest(mesh)
            console.print(f"at rest: {rss / 1e6:.0f} MB of memory, {cpu:.1%} of one core")
            world = await populate(mesh)
            async with _reads(world, home) as measured:
                await _measure(measured, seconds, rounds)
                _print(measured)
            # Afterwards: what is posted faster than it can be delivered would slow the reads.
            await _measure(posts := [figures.posts_grpc(world)], seconds, rounds)
            _print(posts)
    with _home() as home:
        async with stores(home) as mesh, fanout.delivering(mesh.redis_url) as (deliver, plain):
            measured = [
                figures.timed("deliveries to lists of 800, the worker", "deliveries/s", deliver),
                figures.timed("LPUSHX by redis-py's pipeline", "commands/s", plain),
            ]
            await _measure(measured, seconds, rounds)
            _print(measured)


@contextlib.asynccontextmanager
async def _reads(world: BenchWorld, home: Path) -> AsyncIterator[list[Figure]]:
    """The figures of reading, with the replicas that they need beside the mesh."""
    settings, log = world.mesh.settings, home / "log" / "bench.log"
    async with contextlib.AsyncExitStack() as stack:

        async def start(name: str, host: str) -> str:
            return await stack.enter_async_context(replica(name, host, settings, log))

        echoes = {host: await start("tests.chassis.echo", host) for host in HOSTS}
        grpcio = await start("services.timeline.main", "grpcio")
        size = await _page_size(world.mesh, world.sample(1)[0])
        tokens = _tokens(world, home)
        yield [
            *(figures.constant(host, echoes[host]) for host in HOSTS),
            *(figures.page_floor(host, echoes[host], size) for host in HOSTS),
            figures.home_grpc("envoy", world.mesh.address("timeline"), world),
            figures.home_grpc("grpcio", grpcio, world),
            figures.home_rest(world, tokens),
        ]


async def _page_size(mesh: Mesh, user_id: int) -> int:
    """Bytes of a page, which also builds the first list."""
    token = TokenSigner(mesh.settings.signing_key_path).sign(user_id, plan="unlimited")
    address = mesh.edge_url.removeprefix("http://")
    async with TimelineClient(address, token=token) as timelines:
        return len((await timelines.home(page_size=20)).SerializeToString())


def _tokens(world: BenchWorld, home: Path) -> Path:
    signer = TokenSigner(world.mesh.settings.signing_key_path)
    file = home / "tokens"
    file.write_text(
        "".join(f"{signer.sign(u, plan='unlimited', lifetime=7200)}\n" for u in world.sample(500))
    )
    return file


async def _measure(measured: Sequence[Figure], seconds: float, rounds: int) -> None:
    """A warm-up of each figure, then rounds in which the figures take turns."""
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("measuring", total=len(measured) * (rounds + 1))
        for number in range(rounds + 1):
            for figure in measured:
                rate = await figure.measure(seconds)
                if number:
                    figure.rounds.append(rate)
                progress.advance(bar)


def _print(measured: Sequence[Figure]) -> None:
    for figure in measured:
        console.print(
            f"{figure.name:58} {figure.median:10,.0f} {figure.unit:13} +-{figure.spread:.0%}"
        )


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure Aviary on this machine.")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds")
    options = parser.parse_args()
    try:
        asyncio.run(main(options.seconds, options.rounds))
    except ToolMissingError as error:
        sys.exit(str(error))
