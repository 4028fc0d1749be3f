"""Runs drills one after the other and prints each as soon as it is over."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from clients.cli.drill_mesh import mesh_home
from clients.cli.drill_table import print_report
from services.chassis.config import Settings
from services.local.drills.cut import linked_mesh
from services.local.drills.drill import Drill, Options, run, watch
from services.local.drills.report import Report
from services.local.drills.target import Target


def run_chosen(
    drills: Sequence[Drill], home: Path | None, options: Options, *, fresh: bool, cut: bool
) -> list[Report]:
    """Run drills on one mesh, and the one that cuts a link on another."""
    reports = []
    if drills:
        with mesh_home(home, fresh=fresh) as place:
            for each in drills:
                reports.append(asyncio.run(run(each, Target(place), options)))
                print_report(reports[-1])
    if cut:
        reports.append(asyncio.run(_cut(options)))
        print_report(reports[-1])
    return reports


def run_watch(edges: Sequence[str], seconds: float, options: Options) -> list[Report]:
    """Watch a mesh that is anywhere; the signing key is where the settings say."""
    key = Settings.from_environ().signing_key_path
    report = asyncio.run(watch(edges, key, seconds, options))
    print_report(report)
    return [report]


async def _cut(options: Options) -> Report:
    async with linked_mesh() as (target, drill):
        return await run(drill, target, options)
