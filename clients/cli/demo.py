"""`aviary demo`: a small world of birds, made through the edge as users would make it."""

import asyncio
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from services.chassis.config import Settings

if TYPE_CHECKING:
    from clients.graph import GraphClient

BIRDS = ("wren", "robin", "finch", "heron", "jay", "kestrel", "lark", "plover", "swift", "osprey")
PASSWORD = "demo-password"  # noqa: S105 - everybody may know it: it is printed
PLACES = ("the old oak", "the mill pond", "the church tower", "the hedge", "the harbour wall")
LINES = (
    "Sunrise over {place}. Worth getting up for. #dawnchorus",
    "Has anybody else noticed the worms near {place}? Asking for @{friend}.",
    "Nest report from {place}: three eggs, no cuckoo. #nesting",
    "Wind from the south-west. {place} is the place to be today.",
    "@{friend} sang all night at {place} and I am not even angry. #dawnchorus",
    "Field notes: https://example.org/birds/{bird}",
)
SEED = 7
FOLLOWS_EACH, TWEETS_EACH = 5, 3


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(demo)


def demo() -> None:
    """Make ten users who follow each other and post; doing it again changes nothing."""
    from clients.cli.place import edge_address

    made = asyncio.run(make_world(edge_address(Settings.from_environ())))
    typer.echo(f"{made} users made: {', '.join(BIRDS)} (password: {PASSWORD})")


async def make_world(edge: str) -> int:
    """Make the demo world behind an edge; how many users are new."""
    from clients.graph import GraphClient

    dice = random.Random(SEED)  # noqa: S311 - the same world every time
    async with GraphClient(edge) as graph:
        new = [bird for bird in BIRDS if await _sign_up(graph, bird)]
        ids = {bird: (await graph.lookup(bird)).user_id for bird in BIRDS}
        tokens = {bird: (await graph.create_session(bird, PASSWORD)).access_token for bird in new}
    for bird, token in tokens.items():
        others = [other for other in BIRDS if other != bird]
        async with GraphClient(edge, token=token) as graph:
            for friend in dice.sample(others, FOLLOWS_EACH):
                await graph.follow(ids[friend])
    await _post(edge, tokens, dice)
    return len(new)


async def _sign_up(graph: "GraphClient", bird: str) -> bool:
    from clients.errors import PeerError

    try:
        await graph.create_user(bird, PASSWORD, display_name=bird.title())
    except PeerError as error:
        if error.reason != "USER_NAME_TAKEN":
            raise
        return False
    return True


async def _post(edge: str, tokens: dict[str, str], dice: random.Random) -> None:
    from aviary.tweet.v1 import tweet_service_pb2 as pb
    from clients.tweet import TweetClient

    for bird, status in _lines(list(tokens), dice):
        async with TweetClient(edge, token=tokens[bird]) as tweets:
            await tweets.create(pb.CreateTweetRequest(status=status))


def _lines(birds: list[str], dice: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(TWEETS_EACH):
        for bird in birds:
            friend = dice.choice([other for other in BIRDS if other != bird])
            line = dice.choice(LINES)
            yield bird, line.format(place=dice.choice(PLACES), friend=friend, bird=bird)
