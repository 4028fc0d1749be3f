"""Who a mentioned name is: asked of Graph, remembered for minutes, never waited for long.

Posting must go on without Graph: a name that could not be asked about keeps its mention, with user
id 0; a name that nobody has is no mention, nor is one whose user does not want to be tagged by the
author.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter

from aviary.graph.v1.graph_service_pb2 import ViewerRules
from aviary.graph.v1.user_pb2 import MentionPolicy, User
from aviary.graph.v1.visibility_pb2 import Surface
from clients.errors import PeerError
from services.chassis.batching import Loader
from services.chassis.errors import OverloadedError
from services.chassis.packed_ids import holds

TIMEOUT = 0.2
"""Seconds that a post waits for Graph at most."""
AWAY_SECONDS = 1.0
"""After a failure Graph is not asked for so long."""
KNOWN_SECONDS, UNKNOWN_SECONDS = 60.0, 15.0
MAX_REMEMBERED = 20_000
MAX_PARALLEL = 16
LIMITED = (MentionPolicy.MENTION_POLICY_FOLLOWING, MentionPolicy.MENTION_POLICY_NOBODY)
log = structlog.get_logger()


class Named(NamedTuple):
    """Whose name it is; user id -1 is nobody's, 0 not known."""

    user_id: int
    policy: MentionPolicy = MentionPolicy.MENTION_POLICY_EVERYONE


UNKNOWN, NOBODY = Named(0), Named(-1)


class Users(Protocol):
    """The part of Graph that knows names; `clients.graph.GraphClient` is one."""

    async def lookup(self, user_name: str) -> User:
        """The user of that name; PeerError USER_NOT_FOUND for nobody."""

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int
    ) -> Mapping[int, ViewerRules]:
        """Whom each of these users follows, among other things."""


class MentionResolver:
    """Resolves names to user ids."""

    def __init__(self, users: Users, registry: CollectorRegistry) -> None:
        self._users = users
        self._known: dict[str, tuple[float, Named]] = {}
        self._away_until = 0.0
        self._slots = asyncio.Semaphore(MAX_PARALLEL)
        self._loader: Loader[str, Named] = Loader("user names", self._load, max_waiting=2_000)
        self._failures = Counter(
            "aviary_tweet_mention_failures", "Names not resolved in time", registry=registry
        )

    async def resolve(self, names: Iterable[str], author_id: int) -> dict[str, int]:
        """User ids by lower-case name: 0 where it is not known who that is, absent for no mention.

        Author 0 is of those whom users who limit who tags them do not want.
        """
        wanted = {name.lower() for name in names}
        if not wanted:
            return {}
        now = time.monotonic()
        found = {name: self._remembered(name, now) for name in wanted}
        missing = [name for name, named in found.items() if named == UNKNOWN]
        if missing and now >= self._away_until:
            found |= await self._ask(missing)
        refused = await self.refusing(found.values(), author_id)
        return {
            name: named.user_id
            for name, named in found.items()
            if named != NOBODY and named.user_id not in refused
        }

    async def refusing(self, found: Collection[Named], author_id: int) -> set[int]:
        """Those of some users who do not want to be tagged by the author."""
        limited = {n.user_id for n in found if n.policy in LIMITED} - {author_id}
        return limited - await self._welcoming(found, limited, author_id)

    async def _welcoming(
        self, found: Iterable[Named], limited: set[int], author_id: int
    ) -> set[int]:
        """Those who are tagged by whom they follow, and follow the author."""
        following = MentionPolicy.MENTION_POLICY_FOLLOWING
        asked = {n.user_id for n in found if n.policy == following} & limited
        if not asked or not author_id:
            return set()
        try:
            async with asyncio.timeout(TIMEOUT):
                rules = await self._users.viewer_rules(asked, surface=Surface.SURFACE_NOTIFICATION)
        except (PeerError, TimeoutError) as error:
            self._failed(str(error) or "no answer in time")
            return set()
        return {i for i in asked if i in rules and holds(rules[i].following_ids, author_id)}

    async def _ask(self, names: list[str]) -> dict[str, Named]:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._loader.get_many(names)
        except TimeoutError:
            self._failed("no answer in time")
        except OverloadedError as error:
            self._failed(str(error))
        return {}

    async def _load(self, names: list[str]) -> dict[str, Named]:
        answers = await asyncio.gather(*(self._one(name) for name in names))
        return {n: named for n, named in zip(names, answers, strict=True) if named != UNKNOWN}

    async def _one(self, name: str) -> Named:
        async with self._slots:
            try:
                async with asyncio.timeout(TIMEOUT):
                    user = await self._users.lookup(name)
                named = Named(user.user_id, user.mention_policy)
            except PeerError as error:
                if error.reason != "USER_NOT_FOUND":
                    self._failed(str(error))
                    return UNKNOWN
                named = NOBODY
            except TimeoutError:
                self._failed("no answer in time")
                return UNKNOWN
        self._remember(name, named)
        return named

    def _remembered(self, name: str, now: float) -> Named:
        until, named = self._known.get(name, (0.0, UNKNOWN))
        return named if now < until else UNKNOWN

    def _remember(self, name: str, named: Named) -> None:
        if len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        seconds = UNKNOWN_SECONDS if named == NOBODY else KNOWN_SECONDS
        self._known[name] = (time.monotonic() + seconds, named)

    def _failed(self, why: str) -> None:
        self._failures.inc()
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.info("mentions stay unresolved", why=why)
