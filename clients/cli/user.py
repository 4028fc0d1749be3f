"""Commands of a user: signup, login, tweet, timeline, follow, suggestions."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.config import Settings

Name = Annotated[str, typer.Argument(help="User name.")]
Password = Annotated[
    str,
    typer.Option(prompt=True, hide_input=True, help="Asked for if absent."),
]
Text = Annotated[str, typer.Argument(help="1 to 280 characters; with media it may be empty.")]
Media = Annotated[
    list[Path] | None,
    typer.Option("--media", exists=True, dir_okay=False, help="Up to 4 photos, 1 video or 1 GIF."),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Who is in the photos: a user's name or id.")
]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="Tweets to show.")]
Best = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="Users to show.")]
Dismissed = Annotated[
    str, typer.Option("--dismiss", help="A user never to be suggested again, instead.")
]
OfUser = Annotated[str, typer.Option("--user", help="Their own tweets instead of your home.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (signup, login, tweet, timeline, follow, suggestions):
        app.command()(command)


def signup(name: Name, password: Password) -> None:
    """Make an account and log in."""
    from clients.cli.place import edge_address
    from clients.graph import GraphClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        async with GraphClient(edge) as graph:
            await graph.create_user(name, password)
        await _login(edge, name, password)

    asyncio.run(run())


def login(name: Name, password: Password) -> None:
    """Log in."""
    from clients.cli.place import edge_address

    asyncio.run(_login(edge_address(Settings.from_environ()), name, password))


def tweet(text: Text, media: Media = None, tag: Tags = None) -> None:
    """Post a tweet."""
    from aviary.tweet.v1 import tweet_service_pb2 as pb
    from clients.cli.login import current
    from clients.cli.place import edge_address
    from clients.cli.upload import upload
    from clients.tweet import TweetClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        me = await current(edge)
        async with TweetClient(edge, token=me.access_token) as tweets:
            request = pb.CreateTweetRequest(status=text, media_tags=tag or ())
            for file in media or ():
                uploaded = await upload(tweets, file)
                request.media_ids.list_value.values.add(string_value=str(uploaded.media_id))
            posted = await tweets.create(request)
        typer.echo(posted.url)

    asyncio.run(run())


def timeline(count: Count = 20, user: OfUser = "") -> None:
    """Show your home timeline, or a user's own tweets."""
    from clients.cli.login import current
    from clients.cli.page import show
    from clients.cli.place import edge_address
    from clients.graph import GraphClient
    from clients.timeline import TimelineClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        token = "" if user else (await current(edge)).access_token
        async with TimelineClient(edge, token=token) as timelines:
            if user:
                async with GraphClient(edge) as graph:
                    author = await graph.lookup(user)
                show(await timelines.user(str(author.user_id), page_size=count))
            else:
                show(await timelines.home(page_size=count))

    asyncio.run(run())


def follow(name: Name) -> None:
    """Follow a user."""
    from clients.cli.login import current
    from clients.cli.place import edge_address
    from clients.graph import GraphClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        me = await current(edge)
        async with GraphClient(edge, token=me.access_token) as graph:
            target = await graph.lookup(name)
            await graph.follow(target.user_id)
        typer.echo(f"{me.user_name} follows {target.user_name}")

    asyncio.run(run())


def suggestions(count: Best = 20, dismiss: Dismissed = "") -> None:
    """Show whom you may want to follow, and why."""
    from clients.cli.login import current
    from clients.cli.place import edge_address
    from clients.graph import GraphClient

    async def run() -> None:
        edge = edge_address(Settings.from_environ())
        me = await current(edge)
        async with GraphClient(edge, token=me.access_token) as graph:
            if dismiss:
                target = await graph.lookup(dismiss)
                await graph.dismiss_suggestion(target.user_id)
                typer.echo(f"{target.user_name} is suggested no more")
                return
            for each in (await graph.suggestions(page_size=count)).suggestions:
                typer.echo(f"@{each.user.user_name}  {each.reason}")

    asyncio.run(run())


async def _login(edge: str, name: str, password: str) -> None:
    from clients.cli.login import save
    from clients.graph import GraphClient

    async with GraphClient(edge) as graph:
        me = save(edge, await graph.create_session(name, password))
    typer.echo(f"logged in as {me.user_name} (user id {me.user_id})")
