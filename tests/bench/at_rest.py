"""What the mesh costs when nobody uses it."""

import asyncio

import psutil

from services.local import control
from services.local.mesh import Mesh

from .figures import Figure

SETTLE_SECONDS, MEASURE_SECONDS = 3.0, 10.0


async def measured(mesh: Mesh) -> list[Figure]:
    """Memory and CPU as figures, measured once."""
    rss, cpu = await _at_rest(mesh)
    return [
        Figure("rest-memory", "the mesh at rest", "MB", _unmeasured, rounds=[rss / 1e6]),
        Figure("rest-cpu", "the mesh at rest", "% of a core", _unmeasured, rounds=[cpu * 100]),
    ]


async def _unmeasured(_seconds: float) -> float:
    raise AssertionError("was measured once")


async def _at_rest(mesh: Mesh) -> tuple[int, float]:
    """Memory in bytes (shared pages once) and CPU as a fraction of one core, all processes."""
    await asyncio.sleep(SETTLE_SECONDS)
    trees = [
        process
        for report in await control.inspect(mesh.state())
        if report.recorded.pid
        for process in _tree(report.recorded.pid)
    ]
    rss = sum(process.memory_full_info().pss for process in trees)
    before = _cpu(trees)
    await asyncio.sleep(MEASURE_SECONDS)
    return rss, (_cpu(trees) - before) / MEASURE_SECONDS


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
