"""`python -m tests.bench`: every figure in alternating rounds, medians and spread, tables, JSON.

Everything runs in a temporary home of its own, which is removed at the end.
"""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from services.chassis.config import Settings
from services.chassis.telemetry import configure_logging
from services.local.mesh import Mesh, running, stores

from . import (
    at_rest,
    curves,
    delivery,
    engagement,
    media,
    mixes,
    notify,
    posts,
    reads,
    report,
    search,
    worker,
)
from .baseline import server as baseline
from .bench import Bench
from .figures import Plan, Results
from .load import ToolMissingError, check_tools
from .machine import describe
from .world import QUICK, Scale, populate

SECONDS, QUICK_SECONDS, ROUNDS = 2.0, 1.0, 5
console = Console(stderr=True, highlight=False)
STAGES: dict[str, tuple[Callable[[Bench], Awaitable[None]], tuple[str, ...]]] = {
    reads.STAGE: (reads.reads, reads.FIGURES),
    "latency": (reads.latency, ()),
    curves.READS: (curves.reads_by_followees, ()),
    curves.BUILDS: (curves.builds, ()),
    curves.MEMORY: (curves.memory, ()),
    mixes.STAGE: (mixes.mixes, mixes.FIGURES),
    posts.STAGE: (posts.posts, posts.FIGURES),
    posts.TIMES: (posts.post_times, ()),
    engagement.STAGE: (engagement.engagement, engagement.FIGURES),
    notify.STAGE: (notify.notify, notify.FIGURES),
    media.STAGE: (media.media, media.FIGURES),
    search.STAGE: (search.search, search.FIGURES),
    search.INDEXING: (search.indexing, search.INDEX_FIGURES),
    # Last: what is ingested faster than it can be delivered would slow the others.
    delivery.STAGE: (delivery.delivery, ("ingest", "end-to-end")),
    delivery.LAG: (delivery.delivery_lag, ()),
}
"""What is measured in a populated mesh, in this order, and which figures can be asked for."""
WITH_BASELINE = {reads.STAGE, "latency", mixes.STAGE, posts.STAGE}


async def main(options: argparse.Namespace) -> None:
    """Measure what was asked for, and print and keep the results."""
    check_tools()
    configure_logging("warning", service="bench", instance="bench")
    ours = asyncio.current_task()
    assert ours is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ours.cancel)
    results = Results()
    with Progress(console=console, transient=True) as progress:
        plan = Plan(options.seconds, options.rounds, options.quick, options.only, progress)
        with _home() as home:
            machine = await _in_mesh(plan, results, home)
        if plan.wants(worker.STAGE, *worker.FIGURES):
            with _home() as home:
                await _in_stores(plan, results, home)
    print(report.markdown(results, machine))
    if options.out:
        found = report.document(results, machine, _told(options))
        report.write(found, options.out)


async def _in_mesh(plan: Plan, results: Results, home: Path) -> dict[str, str]:
    """Everything that needs the mesh; the description of the machine."""
    settings = Settings(home=home, edge_port=0, log_level="warning")
    async with contextlib.AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(running(settings))
        machine = describe(mesh)
        if plan.wants("at-rest"):
            results.figures += await at_rest.measured(mesh)
        wanted = {name for name, (_, figures) in STAGES.items() if plan.wants(name, *figures)}
        if wanted:
            bench = await _populated(stack, mesh, plan, results, wanted)
            machine["world"] = _in_words(bench.world.scale)
            for name in (name for name in STAGES if name in wanted):
                await _run(name, bench)
    return machine


async def _populated(
    stack: contextlib.AsyncExitStack, mesh: Mesh, plan: Plan, results: Results, wanted: set[str]
) -> Bench:
    started = time.monotonic()
    world = await populate(mesh, QUICK if plan.quick else Scale())
    url = ""
    if wanted & WITH_BASELINE:
        log = mesh.folders.log_file("baseline")
        url = await stack.enter_async_context(baseline.serving(mesh, log))
    console.print(f"the world is there after {time.monotonic() - started:.0f} s")
    folder = mesh.settings.home / "bench"
    folder.mkdir()
    return Bench(world, plan, results, folder, url)


async def _run(name: str, bench: Bench) -> None:
    started = time.monotonic()
    await STAGES[name][0](bench)
    console.print(f"{name}: {time.monotonic() - started:.0f} s")


async def _in_stores(plan: Plan, results: Results, home: Path) -> None:
    """The worker by itself, in a Redis that nobody else uses."""
    async with stores(home) as mesh, worker.worker(mesh.redis_url) as figures:
        chosen = plan.chosen(worker.STAGE, figures)
        await plan.take_turns(worker.STAGE, chosen)
        results.figures.extend(chosen)


def _in_words(scale: Scale) -> str:
    groups = ", ".join(f"{count} readers of {n:,}" for n, count in scale.groups.items())
    return (
        f"{scale.people:,} people who follow 50 and posted {scale.tweets_each} times, of whom"
        f" {scale.active:,} read; further {groups} of them, {scale.zipf} of 50 drawn by Zipf(1.0);"
        f" {scale.fan:,} in a circle with ten followers each"
    )


def _told(options: argparse.Namespace) -> dict[str, Any]:
    told = {name: value for name, value in vars(options).items() if name != "out"}
    return {
        **told,
        "only": sorted(options.only),
        "scale": asdict(QUICK if options.quick else Scale()),
    }


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.bench", description="Measure Aviary here.")
    parser.add_argument("--seconds", type=float, help=f"of each measurement ({SECONDS:g})")
    parser.add_argument("--rounds", type=int, help=f"alternating rounds ({ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="a small world, one short round")
    known = ["at-rest", *STAGES, worker.STAGE]
    parser.add_argument("--only", default="", help=f"figures or stages ({', '.join(known)})")
    parser.add_argument("--out", type=Path, help="write the results there as JSON")
    options = parser.parse_args()
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    options.only = frozenset(filter(None, options.only.split(",")))
    names = {*known, *worker.FIGURES, *(n for _, figures in STAGES.values() for n in figures)}
    if unknown := options.only - names:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(names))}")
    return options


if __name__ == "__main__":
    try:
        asyncio.run(main(_options()))
    except ToolMissingError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted")
