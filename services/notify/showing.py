"""Entries as people see them: with the names of who did it, and in words."""

from collections.abc import Iterable, Mapping, Sequence

from aviary.graph.v1.user_pb2 import User
from aviary.notify.v1 import notification_pb2
from clients.graph import GraphClient
from services.chassis.snowflake import unix_ms_of

from .domain_inbox import Kind
from .store.inbox import Row

WORDS = {
    Kind.FOLLOW: "{who} followed you",
    Kind.FOLLOW_REQUEST: "{who} asked to follow you",
    Kind.MENTION: "{who} mentioned you",
    Kind.REPLY: "{who} replied to your tweet",
    Kind.FAVORITE: "{who} liked your tweet",
    Kind.RETWEET: "{who} retweeted your tweet",
    Kind.QUOTE: "{who} quoted your tweet",
    Kind.TWEET: "{who} tweeted",
    Kind.MESSAGE: "{who} sent you a message",
}


class Showing:
    """Makes notifications of rows."""

    def __init__(self, graph: GraphClient) -> None:
        self._graph = graph

    async def notifications(
        self, rows: Sequence[Row], read_up_to: int
    ) -> list[notification_pb2.Notification]:
        """The rows as messages, in their order."""
        actors = dict.fromkeys(actor for row in rows for actor in row.latest_actors)
        users = await self._graph.get_users(actors) if actors else []
        by_id = {user.user_id: user for user in users}
        return [notification_of(row, by_id, read_up_to) for row in rows]


def notification_of(
    row: Row, users: Mapping[int, User], read_up_to: int
) -> notification_pb2.Notification:
    """One row as a message; users who are gone are not named."""
    actors = [users[actor] for actor in row.latest_actors if actor in users]
    found = notification_pb2.Notification(
        notification_id=row.notification_id,
        kind=f"NOTIFICATION_KIND_{row.kind.name}",
        actors=actors,
        actor_count=row.actor_count,
        tweet_id=row.tweet_id,
        conversation_id=row.object_id if row.kind is Kind.MESSAGE else 0,
        text=in_words(row.kind, [user.display_name for user in actors], row.actor_count),
        read=row.gone or row.notification_id <= read_up_to,
        gone=row.gone,
    )
    found.create_time.FromMilliseconds(unix_ms_of(row.notification_id))
    return found


def in_words(kind: Kind, names: Iterable[str], count: int) -> str:
    """`Wren, Robin and 41 others liked your tweet`."""
    named = list(names)[:2]
    others = count - len(named)
    if not named:
        who = f"{count} people" if count > 1 else "Somebody"
    elif others > 0:
        who = f"{', '.join(named)} and {others} other{'s' if others > 1 else ''}"
    else:
        who = " and ".join(named)
    return WORDS[kind].format(who=who)
