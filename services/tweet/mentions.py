"""Who a mentioned name is: asked of Graph, remembered for minutes, never waited for long.

Posting must go on without Graph: a name that could not be asked about keeps its mention, with user
id 0; a name that nobody has is no mention.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog
from prometheus_client import CollectorRegistry, Counter

from clients.errors import PeerError
from clients.graph import User
from services.chassis.batching import Loader
from services.chassis.errors import OverloadedError

TIMEOUT = 0.2
"""Seconds that a post waits for Graph at most."""
AWAY_SECONDS = 1.0
"""After a failure Graph is not asked for so long."""
KNOWN_SECONDS, UNKNOWN_SECONDS = 300.0, 15.0
MAX_REMEMBERED = 20_000
MAX_PARALLEL = 16
NOBODY = -1
log = structlog.get_logger()


class MentionResolver:
    """Resolves names to user ids by `lookup`, which raises PeerError USER_NOT_FOUND for nobody."""

    def __init__(
        self, lookup: Callable[[str], Awaitable[User]], registry: CollectorRegistry
    ) -> None:
        self._lookup = lookup
        self._known: dict[str, tuple[float, int]] = {}
        self._away_until = 0.0
        self._slots = asyncio.Semaphore(MAX_PARALLEL)
        self._loader: Loader[str, int] = Loader("user names", self._load, max_waiting=2_000)
        self._failures = Counter(
            "aviary_tweet_mention_failures", "Names not resolved in time", registry=registry
        )

    async def resolve(self, names: Iterable[str]) -> dict[str, int]:
        """User ids by lower-case name: 0 where it is not known who that is, absent for nobody."""
        wanted = {name.lower() for name in names}
        if not wanted:
            return {}
        now = time.monotonic()
        found = {name: self._remembered(name, now) for name in wanted}
        missing = [name for name, user_id in found.items() if not user_id]
        if missing and now >= self._away_until:
            found |= await self._ask(missing)
        return {name: user_id for name, user_id in found.items() if user_id != NOBODY}

    async def _ask(self, names: list[str]) -> dict[str, int]:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._loader.get_many(names)
        except TimeoutError:
            self._failed("no answer in time")
        except OverloadedError as error:
            self._failed(str(error))
        return {}

    async def _load(self, names: list[str]) -> dict[str, int]:
        answers = await asyncio.gather(*(self._one(name) for name in names))
        return {name: user_id for name, user_id in zip(names, answers, strict=True) if user_id}

    async def _one(self, name: str) -> int:
        async with self._slots:
            try:
                async with asyncio.timeout(TIMEOUT):
                    user_id = (await self._lookup(name)).user_id
            except PeerError as error:
                if error.reason != "USER_NOT_FOUND":
                    self._failed(str(error))
                    return 0
                user_id = NOBODY
            except TimeoutError:
                self._failed("no answer in time")
                return 0
        self._remember(name, user_id)
        return user_id

    def _remembered(self, name: str, now: float) -> int:
        until, user_id = self._known.get(name, (0.0, 0))
        return user_id if now < until else 0

    def _remember(self, name: str, user_id: int) -> None:
        if len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        seconds = UNKNOWN_SECONDS if user_id == NOBODY else KNOWN_SECONDS
        self._known[name] = (time.monotonic() + seconds, user_id)

    def _failed(self, why: str) -> None:
        self._failures.inc()
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.info("mentions stay unresolved", why=why)
