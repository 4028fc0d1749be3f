"""A page of a timeline, as the terminal shows it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console
from rich.text import Text

from aviary.graph.v1.user_pb2 import User
from aviary.tweet.v1.tweet_pb2 import Tweet


class Page(Protocol):
    """Tweets and the users who appear in them."""

    @property
    def tweets(self) -> Sequence[Tweet]:
        """The tweets, in order."""

    @property
    def users(self) -> Sequence[User]:
        """Their users."""


def show(page: Page) -> None:
    """Print the tweets in their order."""
    console = Console(highlight=False)
    names = {user.user_id: user.user_name for user in page.users}
    if not page.tweets:
        console.print("nothing here yet", style="dim")
    for tweet in page.tweets:
        author = names.get(tweet.user_id, str(tweet.user_id))
        age = _age(tweet.create_time.ToDatetime(tzinfo=UTC))
        console.print(Text.assemble((f"@{author}", "bold cyan"), (f"  {age}", "dim")))
        console.print(Text(f"  {tweet.status}"))


def _age(moment: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
