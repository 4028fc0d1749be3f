"""Commands that run the mesh on this machine: up, down, status, serve.

What they need is imported when they run, so that `aviary --help` stays quick.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.config import Settings

Home = Annotated[Path | None, typer.Option(help="Folder of data, keys, logs. [AVIARY_HOME]")]
Port = Annotated[int | None, typer.Option(help="Port of the edge. [AVIARY_EDGE_PORT]")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")]
Demo = Annotated[bool, typer.Option("--demo", help="Make the demo world, once.")]
Shards = Annotated[
    int | None, typer.Option(help="Shards of the search index. [AVIARY_LOCAL_SEARCH_SHARDS]")
]
Replicas = Annotated[
    int | None, typer.Option(min=1, max=9, help="Replicas of each service. [AVIARY_LOCAL_REPLICAS]")
]
Zones = Annotated[
    int | None,
    typer.Option(
        min=1, max=9, help="Zones; from two on with replicated stores. [AVIARY_LOCAL_ZONES]"
    ),
]
RedisKind = Annotated[
    str | None, typer.Option("--redis", help="single, sentinel or cluster. [AVIARY_LOCAL_REDIS]")
]
Databases = Annotated[
    str | None, typer.Option(help="single, or separate: a server each. [AVIARY_LOCAL_DATABASES]")
]
WithMesh = Annotated[
    bool, typer.Option("--mesh", help="Mutual TLS between services, by name. [AVIARY_MESH]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (up, down, status, serve):
        app.command()(command)


def up(
    detach: Detach = False,
    demo: Demo = False,
    port: Port = None,
    home: Home = None,
    search_shards: Shards = None,
    replicas: Replicas = None,
    zones: Zones = None,
    redis: RedisKind = None,
    databases: Databases = None,
    mesh: WithMesh = False,
) -> None:
    """Start the mesh: PostgreSQL, Redis, the services, the edge."""
    from clients.cli.up import run_detached, run_here

    settings = _settings(home, port)
    if search_shards is not None:
        settings = replace(settings, local_search_shards=max(1, search_shards))
    settings = replace(
        settings,
        local_replicas=replicas or settings.local_replicas,
        local_zones=zones or settings.local_zones,
        local_redis=redis or settings.local_redis,
        local_databases=databases or settings.local_databases,
        mesh=mesh or settings.mesh,
    )
    if detach:
        run_detached(settings, demo=demo)
    else:
        run_here(settings, demo=demo)


def down(home: Home = None) -> None:
    """Stop the mesh."""
    from services.local import control

    settings = _settings(home)
    if (mesh := control.find(settings.home)) is None:
        typer.echo(f"no mesh runs in {settings.home}")
        return
    control.stop(mesh)
    typer.echo("stopped")


def status(as_json: AsJson = False, home: Home = None) -> None:
    """Show every process of the mesh; exit code 1 unless all are healthy."""
    from clients.cli.status import show

    if not show(_settings(home).home, as_json=as_json):
        raise typer.Exit(1)


def serve(service: Annotated[str, typer.Argument(help="tweet, graph, timeline, ...")]) -> None:
    """Run one service in the foreground, as `python -m services SERVICE` does."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "services", service])  # noqa: S606


def _settings(home: Path | None, port: int | None = None) -> Settings:
    settings = Settings.from_environ()
    if home is not None:
        settings = replace(settings, home=home)
    if port is not None:
        settings = replace(settings, edge_port=port)
    return replace(settings, home=settings.home.expanduser().absolute())
