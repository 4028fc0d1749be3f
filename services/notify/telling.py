"""The worker's work: a batch of events into inboxes, for those who may and want to be told."""

import struct
import time
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter

from aviary.graph.v1.visibility_pb2 import Surface
from clients.events import Event
from clients.graph import GraphClient
from services.chassis.visibility import VISIBLE, Subject, Visibility

from .domain_inbox import Change
from .domain_preferences import INBOX
from .events import read
from .store.inbox import InboxStore
from .store.preferences import PreferenceStore

FOLLOWING_SECONDS = 30.0
MAX_FOLLOWING = 10_000
log = structlog.get_logger()


class Teller:
    """Handles batches of both logs. Idempotent: what is told again changes nothing."""

    def __init__(
        self,
        inbox: InboxStore,
        preferences: PreferenceStore,
        graph: GraphClient,
        visibility: Visibility,
        registry: CollectorRegistry,
    ) -> None:
        self._inbox = inbox
        self._preferences = preferences
        self._graph = graph
        self._visibility = visibility
        self._following: dict[int, tuple[float, frozenset[int]]] = {}
        self._told = Counter(
            "aviary_notify_changes", "Changes of inboxes that were recorded", registry=registry
        )

    async def handle(self, events: Sequence[Event]) -> None:
        """Record what a batch says."""
        found = read(events)
        changes = await self._owned(found.changes)
        changes += await self._for_followers(found.posted)
        wanted = await self._wanted(await self._allowed(changes))
        if wanted or found.gone:
            await self._inbox.record(wanted, found.gone)
            self._told.inc(len(wanted))
        for barred in found.barred:
            await self._inbox.withdraw_actor(*barred)

    async def _owned(self, changes: Iterable[Change]) -> list[Change]:
        """The changes, those of retweets that were taken back with the user whose entry it is."""
        known = list(changes)
        objects = {c.key.object_id for c in known if not c.key.user_id}
        owners = await self._inbox.owners(objects) if objects else {}
        owners |= {c.key.object_id: c.key.user_id for c in known if c.key.user_id}
        found = []
        for change in known:
            owner = change.key.user_id or owners.get(change.key.object_id, 0)
            if owner:
                found.append(change._replace(key=change.key._replace(user_id=owner)))
        return found

    async def _for_followers(self, posted: Sequence[Change]) -> list[Change]:
        """A change for each follower who wants to be told of an author's tweets."""
        if not posted:
            return []
        authors = list({change.actor_id for change in posted})
        followers = await self._graph.notified_follower_ids(authors)
        return [
            change._replace(key=change.key._replace(user_id=user_id))
            for change in posted
            for (user_id,) in struct.iter_unpack(">q", followers.get(change.actor_id, b""))
        ]

    async def _allowed(self, changes: list[Change]) -> list[Change]:
        """Nothing by whoever is blocked, muted, or whose tweets the user may not see."""
        actors: dict[int, set[int]] = {}
        for change in changes:
            if change.alive:
                actors.setdefault(change.key.user_id, set()).add(change.actor_id)
        barred: set[tuple[int, int]] = set()
        for user_id, asked in actors.items():
            rules = await self._visibility.rules(
                user_id, Surface.SURFACE_NOTIFICATION, [Subject(actor) for actor in asked]
            )
            barred |= {
                (user_id, subject.author_user_id)
                for subject, rule in rules.items()
                if rule != VISIBLE
            }
        return [c for c in changes if not c.alive or (c.key.user_id, c.actor_id) not in barred]

    async def _wanted(self, changes: list[Change]) -> list[Change]:
        """Only kinds that the user wants in the inbox, and from whom."""
        users = {change.key.user_id for change in changes if change.alive}
        if not users:
            return changes
        preferences = await self._preferences.get_many(users)
        found = []
        for change in changes:
            if change.alive:
                mine = preferences[change.key.user_id]
                if not mine.wants(change.key.kind, INBOX):
                    continue
                if mine.only_following and not await self._follows(change):
                    continue
            found.append(change)
        return found

    async def _follows(self, change: Change) -> bool:
        user_id = change.key.user_id
        until, following = self._following.get(user_id, (0.0, frozenset()))
        if time.monotonic() >= until:
            packed = await self._graph.following_ids(user_id)
            following = frozenset(one for (one,) in struct.iter_unpack(">q", packed))
            if len(self._following) >= MAX_FOLLOWING:
                del self._following[next(iter(self._following))]
            self._following[user_id] = (time.monotonic() + FOLLOWING_SECONDS, following)
        return change.actor_id in following
