"""`aviary drill`: a fault in a running mesh, under load, and what it cost."""

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
Edges = Annotated[str, typer.Option(help="For 'watch': host:port of the edges, commas between.")]
Seconds = Annotated[float, typer.Option(min=1, help="How long 'watch' watches.")]
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
    edges: Edges = "",
    seconds: Seconds = 60.0,
) -> None:
    """Inject a fault under load; exit code 1 unless everything promised was kept.

    `watch` injects nothing: load and audit while the fault comes from elsewhere.
    """
    from clients.cli.drill_runs import run_chosen, run_watch
    from clients.cli.drill_table import print_list, print_table
    from services.local.drills.cut import NAME as CUT
    from services.local.drills.drill import Options, drills

    table = drills(kills, zone_seconds)
    if name == "list":
        print_list(table)
        return
    if name not in {"all", "watch", CUT, *table}:
        raise typer.BadParameter(f"{name}: there is {', '.join((*table, CUT, 'watch'))}")
    folder = ledgers or Path(tempfile.mkdtemp(prefix="av-drill-"))
    options = Options(rate=rate, seed=seed, control=control, ledger_folder=folder)
    began = time.monotonic()
    if name == "watch":
        reports = run_watch(edges.split(","), seconds, options)
    else:
        chosen = list(table.values()) if name == "all" else [table[name]] if name in table else []
        reports = run_chosen(chosen, home, options, fresh=fresh, cut=name in {"all", CUT})
    print_table(reports, time.monotonic() - began, folder)
    if any(report.passed == control for report in reports):
        raise typer.Exit(1)
