"""Viewers' relations: whom they follow, and whom the visibility engine hides from them at home.

Asked of Graph for all who read at the moment, and kept for a minute. What changes is forgotten as
soon as Graph's log tells of it (`forget`), some milliseconds after the change was answered; the
minute is only for the time in which the log cannot be read.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE
from clients.errors import PeerError
from services.chassis.batching import Loader

from .sources import unpack_ids

KEEP_SECONDS = 60.0
MAX_IDS = 2_000_000
"""Followed users kept over all viewers, some 70 bytes each."""
ATTEMPTS = 3
"""Loads for a viewer whose relations change in the meantime."""
MAX_VIEWERS = 256
"""Viewers in one BatchGetViewerRules."""


class RulesSource(Protocol):
    """What this needs of the Graph service; `clients.graph.GraphClient` is one."""

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int, mutual: bool = False
    ) -> Mapping[int, pb.ViewerRules]:
        """The rules of each of these viewers on a surface."""


class Relations:
    """One viewer's relations at a moment.

    `following` and `hidden` hold user ids, `hidden_retweeters` those of followees whose retweets
    are not shown, and `shown` those whose tweets are: the followees and the viewer, but for the
    hidden. `until` is a moment of `time.monotonic()`, 0 when they may be out of date already.
    """

    __slots__ = ("_rings", "following", "hidden", "hidden_retweeters", "shown", "until", "user_id")

    def __init__(self, rules: pb.ViewerRules, now: float, wall: float) -> None:
        self.user_id = rules.user_id
        self.following = frozenset(unpack_ids(rules.following_ids))
        self.hidden = frozenset(unpack_ids(rules.hidden_ids))
        self.hidden_retweeters = frozenset(unpack_ids(rules.hidden_retweeter_ids))
        self.shown = (self.following | {rules.user_id}) - self.hidden
        self.until = now + KEEP_SECONDS
        if rules.HasField("expire_time"):
            self.until = min(self.until, now + rules.expire_time.ToMilliseconds() / 1000 - wall)
        self._rings: tuple[frozenset[int], tuple[int, ...]] = (frozenset(), ())

    def follows(self, user_id: int) -> bool:
        """Whether the viewer follows this user."""
        return user_id in self.following

    def rings(self, pulled: frozenset[int]) -> tuple[int, ...]:
        """Those of these authors whose tweets are shown; computed once for one set."""
        if self._rings[0] is not pulled:
            self._rings = (pulled, tuple(self.shown & pulled))
        return self._rings[1]


class RelationsCache:
    """Relations of those who read now.

    Two generations: what was asked for since the last turn, and what was in the turn before it. A
    turn comes when the young hold half of `max_ids`.
    """

    def __init__(
        self,
        graph: RulesSource,
        *,
        max_ids: int = MAX_IDS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._graph = graph
        self._max_young = max_ids // 2
        self._clock = clock
        self._wall = wall
        self._young: dict[int, Relations] = {}
        self._old: dict[int, Relations] = {}
        self._weight = 0
        self._loading: set[int] = set()
        self._loader: Loader[int, Relations] = Loader(
            "relations", self._load, max_batch=MAX_VIEWERS
        )

    async def get(self, user_id: int) -> Relations:
        """The relations of one viewer."""
        found = self._young.get(user_id) or self._old.get(user_id)
        if found is None or found.until < self._clock():
            return await self._ask(user_id, found)
        return found

    def forget(self, user_ids: Iterable[int]) -> None:
        """Ask again for these: their relations have changed."""
        for user_id in user_ids:
            self._young.pop(user_id, None)
            self._old.pop(user_id, None)
            self._loading.discard(user_id)

    def forget_all(self) -> None:
        """Ask again for everybody: changes may have been missed."""
        self._young, self._old, self._weight = {}, {}, 0
        self._loading.clear()

    async def _ask(self, user_id: int, known: Relations | None) -> Relations:
        try:
            for _ in range(ATTEMPTS):
                loaded = (await self._loader.get_many([user_id]))[user_id]
                if loaded.until:
                    break
        except PeerError:
            if known is None:
                raise
            return known  # old, but a timeline must not end with Graph
        return loaded

    async def _load(self, user_ids: list[int]) -> dict[int, Relations]:
        # Whoever is forgotten while this is under way may have been read before the change.
        self._loading = set(user_ids)
        now, wall = self._clock(), self._wall()
        rules = await self._graph.viewer_rules(user_ids, surface=SURFACE_HOME_TIMELINE)
        found = {user_id: Relations(rule, now, wall) for user_id, rule in rules.items()}
        for user_id, relations in found.items():
            if user_id in self._loading:
                self._keep(relations)
            else:
                relations.until = 0.0
        return found

    def _keep(self, relations: Relations) -> None:
        weight = len(relations.following) + 50  # what a viewer who follows nobody takes as well
        if self._weight + weight > self._max_young:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[relations.user_id] = relations
        self._weight += weight
