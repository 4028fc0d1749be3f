"""The worker's work: a batch of events into inboxes, for those who may and want to be told."""

import asyncio
import struct
from collections.abc import Iterable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter

from aviary.graph.v1.graph_service_pb2 import ViewerRules
from aviary.graph.v1.visibility_pb2 import Surface
from clients.events import Event
from clients.graph import GraphClient
from services.chassis.packed_ids import holds

from .domain_inbox import Change, Kind
from .domain_preferences import INBOX, Preferences
from .events import read
from .store.inbox import InboxStore
from .store.preferences import PreferenceStore

log = structlog.get_logger()


class Teller:
    """Handles batches of both logs. Idempotent: what is told again changes nothing."""

    def __init__(
        self,
        inbox: InboxStore,
        preferences: PreferenceStore,
        graph: GraphClient,
        registry: CollectorRegistry,
    ) -> None:
        self._inbox = inbox
        self._preferences = preferences
        self._graph = graph
        self._told = Counter(
            "aviary_notify_changes", "Changes of inboxes that were recorded", registry=registry
        )

    async def handle(self, events: Sequence[Event]) -> None:
        """Record what a batch says."""
        found = read(events)
        changes = await self._owned(found.changes)
        changes += await self._for_followers(found.posted)
        wanted = await self._allowed(changes)
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
        """What users want, and nothing by whoever is blocked, muted, or closed to them.

        A whole batch is asked about in a few calls: a verdict for each pair would be one for each
        of its users.
        """
        told = [change for change in changes if change.alive]
        if not told:
            return changes
        users = list(dict.fromkeys(change.key.user_id for change in told))
        actors = dict.fromkeys(change.actor_id for change in told)
        rules, known, preferences = await asyncio.gather(
            self._graph.viewer_rules(users, surface=Surface.SURFACE_NOTIFICATION),
            self._graph.get_users(actors),
            self._preferences.get_many(users),
        )
        closed = {user.user_id: user.protected for user in known}
        return [
            change
            for change in changes
            if not change.alive
            or (
                _may(change, rules[change.key.user_id], closed)
                and _wants(change, rules[change.key.user_id], preferences[change.key.user_id])
            )
        ]


def _wants(change: Change, rules: ViewerRules, mine: Preferences) -> bool:
    """Whether a user wants to hear of such things, and from whom."""
    if not mine.wants(change.key.kind, INBOX):
        return False
    return not mine.only_following or holds(rules.following_ids, change.actor_id)


def _may(change: Change, rules: ViewerRules, closed: Mapping[int, bool]) -> bool:
    """Whether a user is to hear of somebody: neither hidden, nor gone, nor closed to them."""
    actor = change.actor_id
    if actor not in closed or holds(rules.hidden_ids, actor):
        return False
    # Whoever asks or begins to follow is heard of also by those who do not follow back.
    if change.key.kind in (Kind.FOLLOW, Kind.FOLLOW_REQUEST):
        return True
    return not closed[actor] or holds(rules.following_ids, actor)
