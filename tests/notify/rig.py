"""Inboxes on a real database; events are made here, and Graph is a few facts."""

import contextlib
import itertools
import struct
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any

from google.protobuf.message import Message
from prometheus_client import CollectorRegistry

from aviary.events.v1 import payload_pb2 as payloads
from aviary.graph.v1 import graph_service_pb2 as graph_pb
from aviary.graph.v1.user_pb2 import User
from aviary.graph.v1.visibility_pb2 import Surface
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.events import Event
from services.chassis.snowflake import id_at
from services.chassis.stores import Pool, migrate, open_pool
from services.notify.domain_inbox import Kind
from services.notify.store.inbox import InboxStore, Row
from services.notify.store.preferences import PreferenceStore
from services.notify.telling import Teller
from services.notify.worker import MIGRATIONS

TABLES = ("entries", "occurrences", "gone_tweets", "deliveries")


class Graph:
    """Who follows whom, who asked to be told, and who is hidden from whom."""

    def __init__(self) -> None:
        self.notified: dict[int, list[int]] = {}
        self.following: dict[int, list[int]] = {}
        self.hidden: set[tuple[int, int]] = set()

    async def notified_follower_ids(self, user_ids: Sequence[int]) -> dict[int, bytes]:
        return {u: _packed(self.notified[u]) for u in user_ids if u in self.notified}

    async def get_users(self, user_ids: Collection[int]) -> list[User]:
        return [User(user_id=u, user_name=f"u{u}", display_name=f"User {u}") for u in user_ids]

    async def viewer_rules(
        self, user_ids: Collection[int], *, surface: Surface
    ) -> dict[int, graph_pb.ViewerRules]:
        assert surface == Surface.SURFACE_NOTIFICATION
        return {
            user_id: graph_pb.ViewerRules(
                user_id=user_id,
                following_ids=_packed(self.following.get(user_id, [])),
                hidden_ids=_packed(actor for viewer, actor in self.hidden if viewer == user_id),
            )
            for user_id in user_ids
        }


class Rig:
    """A worker's inside, and what it wrote."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.graph = Graph()
        self._ids = itertools.count(id_at(time.time_ns() // 1_000_000))
        self.inbox = InboxStore(pool, self.next_id)
        self.preferences = PreferenceStore(pool)
        graph: Any = self.graph
        self.teller = Teller(
            self.inbox,
            self.preferences,
            graph,
            CollectorRegistry(),
        )

    def next_id(self) -> int:
        return next(self._ids)

    def event(self, kind: str, **fields: Any) -> Event:
        payload: Message = getattr(payloads, kind)(**fields)
        made = Event(event_id=self.next_id(), kind=kind, payload=payload.SerializeToString())
        made.create_time.GetCurrentTime()
        return made

    def tweet(self, author: int, **fields: Any) -> Tweet:
        mentions, tags = fields.pop("mentions", ()), fields.pop("tags", ())
        tweet = Tweet(tweet_id=self.next_id(), user_id=author, **fields)
        tweet.create_time.GetCurrentTime()
        for user_id in mentions:
            tweet.entities.user_mentions.add(user_id=user_id)
        for user_id in tags:
            tweet.entities.media_tags.add(user_id=user_id)
        return tweet

    def posted(self, tweet: Tweet) -> Event:
        return self.event("TweetCreated", tweet=tweet)

    def liked(self, user: int, tweet: int, author: int) -> Event:
        return self.event("TweetFavorited", user_id=user, tweet_id=tweet, author_user_id=author)

    def unliked(self, user: int, tweet: int, author: int) -> Event:
        return self.event("TweetUnfavorited", user_id=user, tweet_id=tweet, author_user_id=author)

    def untagged(self, user: int, tweet: Tweet, *, mentioned: bool = False) -> Event:
        return self.event(
            "MediaTagRemoved",
            user_id=user,
            tweet_id=tweet.tweet_id,
            author_user_id=tweet.user_id,
            mentioned=mentioned,
        )

    async def tell(self, *events: Event) -> None:
        await self.teller.handle(events)

    async def rows(self, user_id: int) -> list[Row]:
        return await self.inbox.page(user_id, (1 << 63) - 1, 1_000)

    async def kinds(self, user_id: int) -> list[Kind]:
        return [row.kind for row in await self.rows(user_id)]

    async def unread(self, user_id: int) -> tuple[int, int]:
        """The badge, and how many entries of the list are unread: they must agree."""
        badge = await self.inbox.badge(user_id)
        rows = await self.rows(user_id)
        shown = [r for r in rows if not r.gone and r.notification_id > badge.read_up_to]
        return badge.unread, len(shown)

    async def sql(self, query: str) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()

    async def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that was written, but for when."""
        columns = {
            "entries": "user_id, kind, object_id, notification_id, tweet_id, actor_count,"
            " latest_actors, gone",
            "occurrences": "*",
            "gone_tweets": "tweet_id",
            "deliveries": "user_id, channel, kind, object_id, notification_id, state",
        }
        return {t: sorted(await self.sql(f"SELECT {columns[t]} FROM {t}")) for t in TABLES}


def _packed(ids: Iterable[int]) -> bytes:
    return b"".join(struct.pack(">q", one) for one in sorted(ids))


@contextlib.asynccontextmanager
async def inbox_rig(dsn: str) -> AsyncIterator[Rig]:
    await migrate(dsn, MIGRATIONS)
    async with open_pool(dsn, size=4, name="test") as pool:
        yield Rig(pool)
