"""How a prefix may go on: users, hashtags, and what several others have searched for lately."""

import asyncio
import bisect
from collections.abc import Callable
from typing import NamedTuple

import structlog
from redis.exceptions import RedisError

from ..analysis import analyze, normalized
from ..domain_trends import Kind
from ..index.shard_index import ShardIndex
from ..trends.store import TrendStore
from .directory import UserDirectory

MIN_USERS = 3
"""What fewer have searched for stays theirs."""
READ_SECONDS = 5.0
MAX_READ = 50
"""Candidates of each kind that one answer looks at."""
log = structlog.get_logger()


class Suggested(NamedTuple):
    """Users by id, hashtags and queries as text, each the best first."""

    user_ids: list[int]
    hashtags: list[str]
    queries: list[str]


class Suggestions:
    """Suggests."""

    def __init__(
        self,
        directory: UserDirectory,
        index: ShardIndex,
        store: TrendStore,
        clock_ms: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._index = index
        self._store = store
        self._clock_ms = clock_ms
        self._queries: list[tuple[str, int, str]] = []
        """Normalized query, how many users, as it was written; sorted."""

    def suggest(self, prefix: str, limit: int) -> Suggested:
        """The best of each kind; `@` or `#` in front asks for one kind alone."""
        sign, bare = prefix[:1], prefix.lstrip("@#")
        start = normalized(bare)
        if not start:
            return Suggested([], [], [])
        wanted = min(limit, MAX_READ)
        users = [] if sign == "#" else self._users(start, bare, wanted)
        tags = [] if sign == "@" or not analyze(bare) else self._index.hashtags(start, wanted)
        queries = [] if sign and sign in "@#" else self._searched(prefix.casefold(), wanted)
        return Suggested(users, [f"#{tag}" for tag, _ in tags], queries)

    async def refresh(self) -> None:
        """Learn what is searched for now. Raises redis' errors."""
        terms, levels, forms = await self._store.known(Kind.SEARCH)
        volumes = await self._store.volumes(Kind.SEARCH, terms, levels, self._clock_ms())
        self._queries = sorted(
            (key, volume, forms.get(key, key))
            for key, volume in volumes.items()
            if volume >= MIN_USERS
        )

    async def run(self) -> None:
        """Refresh now and then, for ever."""
        while True:
            try:
                await self.refresh()
            except (RedisError, OSError) as error:
                log.info("searches not known", why=str(error))
            await asyncio.sleep(READ_SECONDS)

    def _users(self, start: str, bare: str, limit: int) -> list[int]:
        found = [*self._directory.named(bare), *self._directory.starting(start, limit)]
        return list(dict.fromkeys(match.user_id for match in found))

    def _searched(self, prefix: str, limit: int) -> list[str]:
        prefix = " ".join(prefix.split())
        first = bisect.bisect_left(self._queries, (prefix,))
        found = []
        for key, volume, form in self._queries[first:]:
            if not key.startswith(prefix):
                break
            found.append((-volume, form))
        return [form for _, form in sorted(found)[:limit]]
