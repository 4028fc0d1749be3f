"""`aviary drill`: a fault in a running mesh, under load, and what it cost."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="Which drill; 'all' for all of them, 'list' to list.")]
Home = Annotated[Path | None, typer.Option(help="The mesh's folder. [AVIARY_HOME]")]
Rate = Annotated[float, typer.Option(min=1, max=200, help="Calls a second.")]
Seed = Annotated[int, typer.Option(help="Of what is chosen at random.")]
Control = Annotated[
    bool, typer.Option("--control", help="The negative control: the drill must FAIL.")
]
Kills = Annotated[int, typer.Option(min=1, help="Processes that 'kill' kills.")]
ZoneSeconds = Annotated[float, typer.Option(min=5, help="How long 'zone' is without its zone.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start a mesh for it, and stop it after.")]
Out = Annotated[Path | None, typer.Option("--ledgers", help="Folder for the ledgers.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(drill)


def drill(
    name: Name = "list",
    home: Home = None,
    rate: Rate = 60.0,
    seed: Seed = 1,
    control: Control = False,
    kills: Kills = 20,
    zone_seconds: ZoneSeconds = 60.0,
    fresh: Fresh = False,
    ledgers: Out = None,
) -> None:
    """Inject a fault under load; exit code 1 unless everything promised was kept."""
    from clients.cli.drill_mesh import mesh_home
    from clients.cli.drill_table import print_list, print_report, print_table
    from services.local.drills.drill import Options, drills, run
    from services.local.drills.report import Report
    from services.local.drills.target import Target

    table = drills(kills, zone_seconds)
    if name == "list":
        print_list(table)
        return
    if name != "all" and name not in table:
        raise typer.BadParameter(f"{name}: there is {', '.join(table)}")
    chosen = list(table.values()) if name == "all" else [table[name]]
    folder = ledgers or Path(tempfile.mkdtemp(prefix="av-drill-"))
    options = Options(rate=rate, seed=seed, control=control, ledger_folder=folder)
    reports: list[Report] = []
    began = time.monotonic()
    with mesh_home(home, fresh=fresh) as place:
        for each in chosen:
            reports.append(asyncio.run(run(each, Target(place), options)))
            print_report(reports[-1])
    print_table(reports, time.monotonic() - began, folder)
    if any(report.passed == control for report in reports):
        raise typer.Exit(1)
