"""`aviary plan`: how much of everything a load takes, with its arithmetic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clients.capacity.sheet import Section

Which = Annotated[str, typer.Option("--profile", help="seed000, seed001 or seed003.")]
File = Annotated[
    Path | None, typer.Option("--measured", help="JSON of `make bench ARGS='--out FILE'`.")
]
Peak = Annotated[float, typer.Option(min=1, help="The busiest second over the average one.")]
Utilisation = Annotated[float, typer.Option(min=0.05, max=1, help="Of what was measured, used.")]
Days = Annotated[int, typer.Option(min=1, help="Days of tweets that are searched.")]
Years = Annotated[int, typer.Option(min=1, help="Years of tweets that are kept.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plan)


def plan(
    profile: Which = "seed000",
    measured: File = None,
    peak: Peak = 3.1,
    utilisation: Utilisation = 0.6,
    search_days: Days = 1,
    years: Years = 1,
) -> None:
    """Work out pods, shards, memory, disk, network and what costs, and show how."""
    from clients.capacity.measured import FiguresError, load
    from clients.capacity.planning import Options
    from clients.capacity.planning import plan as work_out
    from clients.capacity.profiles import PROFILES
    from clients.cli.errors import PlanError

    if profile not in PROFILES:
        raise PlanError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
    try:
        figures = load(measured)
    except FiguresError as error:
        raise PlanError(str(error)) from error
    options = Options(peak, utilisation, search_days, years)
    _print(work_out(PROFILES[profile], figures, options), PROFILES[profile].notes)


def _print(sections: "list[Section]", notes: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    from clients.capacity.profiles import CONTRADICTIONS
    from clients.capacity.sheet import shown

    console = Console(highlight=False)
    for section in sections:
        table = Table("", "how", "is", "", title=section.title, title_justify="left", box=None)
        for line in section.lines:
            value = shown(line.value)
            working = "" if line.working == value else line.working
            how = f"{working}\n[dim]{line.why}[/]" if line.why else working
            table.add_row(line.title, how, f"[bold]{value}[/]", line.unit)
        console.print(table, "")
    for note in notes:
        console.print(f"note: {note}")
    table = Table(
        "where", "says", "but", "taken", title="The documents' contradictions",
        title_justify="left", box=None,
    )  # fmt: skip
    for each in CONTRADICTIONS:
        table.add_row(each.where, each.says, each.but, each.taken)
    console.print("", table)
