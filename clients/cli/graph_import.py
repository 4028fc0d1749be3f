"""`aviary import`: a social graph from an edge list."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from clients.cli.edge_list import EdgeList, read_edge_list
from services.chassis.config import Settings

Edges = Annotated[
    Path, typer.Option("--edges", exists=True, dir_okay=False, help="A pair of nodes a line.")
]
Undirected = Annotated[bool, typer.Option("--undirected", help="A pair is a follow each way.")]
Item = TypeVar("Item")
USERS_A_BATCH, FOLLOWS_A_BATCH = 500, 2000


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("import")(import_graph)


def import_graph(edges: Edges, undirected: Undirected = False) -> None:
    """Import users (named u<node>) and follows; doing it again changes nothing."""
    from clients.cli.place import service_address

    graph = read_edge_list(edges, undirected=undirected)
    address = service_address(Settings.from_environ(), "graph")
    users, follows = asyncio.run(import_edges(address, graph))
    typer.echo(
        f"{len(graph.nodes)} users ({users} new), {len(graph.follows)} follows ({follows} new)"
        + (f", {graph.self_loops} self-loops left out" if graph.self_loops else "")
    )


async def import_edges(address: str, graph: EdgeList) -> tuple[int, int]:
    """Import into the Graph service at an address; how many users and follows are new."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from clients.graph import GraphClient

    columns = ("{task.description:8}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        users_bar = progress.add_task("users", total=len(graph.nodes))
        follows_bar = progress.add_task("follows", total=len(graph.follows))
        async with GraphClient(address) as client:
            ids: list[int] = []
            new_users = new_follows = 0
            names = [f"u{node}" for node in graph.nodes]
            async for users in client.import_users(_batches(names, USERS_A_BATCH)):
                ids += users.user_ids
                new_users += users.created_count
                progress.update(users_bar, completed=len(ids))
            user_ids = dict(zip(graph.nodes, ids, strict=True))
            pairs = [struct.pack(">qq", user_ids[a], user_ids[b]) for a, b in graph.follows]
            async for follows in client.import_follows(_joined(_batches(pairs, FOLLOWS_A_BATCH))):
                new_follows += follows.created_count
                progress.advance(follows_bar, FOLLOWS_A_BATCH)
            progress.update(follows_bar, completed=len(pairs))
        return new_users, new_follows


async def _batches(items: Sequence[Item], size: int) -> AsyncIterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _joined(batches: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[bytes]:
    async for batch in batches:
        yield b"".join(batch)
