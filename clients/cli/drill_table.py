"""What drills print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.local.drills.drill import Drill
from services.local.drills.report import Report, Side

MOST_ERRORS = 6
WIDTH = 110


def print_list(drills: Mapping[str, Drill]) -> None:
    """The drills, and the promises that each is about."""
    table = Table("drill", "promises", "may fail: reads, writes", "outage: reads, writes", box=None)
    for drill in drills.values():
        limits = drill.limits
        table.add_row(
            drill.name,
            drill.promise,
            f"{limits.reads:.1%}, {limits.writes:.1%}",
            f"{limits.read_seconds:.0f} s, {limits.write_seconds:.0f} s",
        )
    Console(highlight=False).print(table)


def print_report(report: Report) -> None:
    """One drill, as soon as it is over."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold]{report.name}[/]: {report.fault or report.missing}")
    for name, side in (("reads", report.reads), ("writes", report.writes)):
        console.print(
            f"  {name:7}{side.calls} calls, {side.errors} errors ({side.share:.2%}),"
            f" RTO {side.outage:.2f} s, p99 {side.p99 * 1000:.0f} ms"
        )
    if report.recovery is not None:
        console.print(f"  reads as quick as before after {report.recovery:.2f} s")
    lost = len(report.findings.lost)
    console.print(f"  ledger {report.answered} answered writes, RPO {lost} lost")
    for error, count in report.errors.most_common(MOST_ERRORS):
        console.print(f"    {count} x {error}", markup=False)
    for failure in report.failures:
        console.print(f"  [red]{failure}[/]")
    console.print(f"  {_verdict(report)}   {report.seconds:.0f} s")


def print_table(reports: Sequence[Report], seconds: float, folder: Path) -> None:
    """All drills that ran, as docs/reliability.md has them."""
    columns = ("drill", "calls", "read errors", "write errors", "RTO reads", "RTO writes", "RPO")
    table = Table(*columns, "verdict", box=None)
    for report in reports:
        table.add_row(
            report.name,
            str(report.reads.calls + report.writes.calls),
            _errors(report.reads),
            _errors(report.writes),
            f"{report.reads.outage:.2f} s",
            f"{report.writes.outage:.2f} s",
            f"{len(report.findings.lost)} of {report.answered}",
            _verdict(report),
        )
    console = Console(highlight=False, width=WIDTH)
    console.print()
    console.print(table)
    console.print(f"\n{seconds:.0f} s; ledgers in {folder}", markup=False)


def _errors(side: Side) -> str:
    return f"{side.errors} ({side.share:.2%})"


def _verdict(report: Report) -> str:
    return "[green]PASS[/]" if report.passed else "[red]FAIL[/]"
