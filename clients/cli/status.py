"""`aviary status`: the table, or JSON."""

import asyncio
import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Column, Table

from services.local import control
from services.local.child import Health
from services.local.control import Report
from services.local.state import MeshState

COLOURS = {Health.HEALTHY: "green", Health.STARTING: "yellow", Health.WAITING: "yellow"}


def show(home: Path, *, as_json: bool) -> bool:
    """Print the mesh of a home; True if everything in it is healthy."""
    mesh = control.find(home)
    if mesh is None:
        absent = {"running": False, "home": str(home), "processes": []}
        typer.echo(json.dumps(absent, indent=2) if as_json else f"no mesh runs in {home}")
        return False
    reports = asyncio.run(control.inspect(mesh))
    if as_json:
        typer.echo(json.dumps(_values(mesh, reports), indent=2))
    else:
        _print(mesh, reports)
    return all(report.health == Health.HEALTHY for report in reports)


def _values(mesh: MeshState, reports: list[Report]) -> dict[str, object]:
    return {
        "running": True,
        "ready": mesh.ready,
        "pid": mesh.pid,
        "home": mesh.home,
        "host": mesh.host,
        "edge_url": mesh.edge_url,
        "stores": dict(mesh.stores),
        "rss": sum(report.rss for report in reports),
        "processes": [report.to_json() for report in reports],
    }


def _print(mesh: MeshState, reports: list[Report]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    columns = ("process", "zone", "pid", "health", "ports", "restarts", "uptime", "memory")
    table = Table(*(Column(name, no_wrap=True) for name in columns), box=None)
    for report in reports:
        table.add_row(*_row(report))
    console.print(table)
    console.print(f"\nedge   {mesh.edge_url or '-'}   (services hosted by {mesh.host})")
    for name, address in mesh.stores.items():
        console.print(f"{name:6} {address}", markup=False)
    console.print(f"home   {mesh.home}   (supervisor: process {mesh.pid})", markup=False)


def _row(report: Report) -> tuple[str, ...]:
    row = report.recorded
    word = report.health.partition(":")[0]
    colour = next((c for health, c in COLOURS.items() if health == word), "red")
    return (
        row.name,
        row.zone or "-",
        str(row.pid or "-"),
        f"[{colour}]{word}[/]",
        " ".join(f"{use}:{port}" for use, port in row.ports.items()) or "-",
        str(row.restarts),
        _duration(report.uptime),
        f"{report.rss / 2**20:.0f} MB",
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
