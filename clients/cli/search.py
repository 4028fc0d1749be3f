"""Commands that look for something: search, suggest, trends."""

import asyncio
from typing import Annotated

import typer

from services.chassis.config import Settings

Query = Annotated[str, typer.Argument(help='Words, #tags, from:name, -not, "phrases".')]
Prefix = Annotated[str, typer.Argument(help="What was typed so far.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="How many to show.")]
Latest = Annotated[bool, typer.Option("--latest", help="The newest first, not the best.")]
Exact = Annotated[bool, typer.Option("--exact", help="Leave typos as they are.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (search, suggest, trends):
        app.command()(command)


def search(query: Query, count: Count = 20, latest: Latest = False, exact: Exact = False) -> None:
    """Search tweets."""
    from clients.cli.page import show
    from clients.cli.place import edge_address
    from clients.search import SearchClient

    async def run() -> None:
        async with SearchClient(edge_address(Settings.from_environ())) as client:
            sort = "latest" if latest else "top"
            page = await client.search(query, page_size=count, sort=sort, exact=exact)
        if page.corrected_query:
            typer.echo(f"showing results for: {page.corrected_query}")
        if page.partial:
            typer.echo(f"without {', '.join(page.unreachable)}: tweets may be missing")
        show(page)

    asyncio.run(run())


def suggest(prefix: Prefix) -> None:
    """Say how a prefix may go on."""
    from clients.cli.place import edge_address
    from clients.search import SearchClient

    async def run() -> None:
        async with SearchClient(edge_address(Settings.from_environ())) as client:
            for each in (await client.suggest(prefix)).suggestions:
                typer.echo(each.text)

    asyncio.run(run())


def trends(count: Count = 20) -> None:
    """Show what trends."""
    from clients.cli.place import edge_address
    from clients.search import SearchClient

    async def run() -> None:
        async with SearchClient(edge_address(Settings.from_environ())) as client:
            for trend in (await client.trends(limit=count)).trends:
                typer.echo(f"{trend.rank:3}  {trend.name}  ({trend.volume} users)")

    asyncio.run(run())
