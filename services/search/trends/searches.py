"""What people search for, on its way to the trends: gathered, and counted once a second.

Only who is logged in counts: different users cannot be told apart otherwise. What cannot be counted
is dropped, for a search must not wait for it.
"""

import asyncio
from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

from ..domain_trends import Kind, Term
from .gate import Gate
from .store import TrendStore, Uses
from .terms import of_query

FLUSH_SECONDS = 1.0
MAX_GATHERED = 20_000
log = structlog.get_logger()


class SearchCounter:
    """Notes searches; `run` counts them."""

    def __init__(self, store: TrendStore, clock_ms: Callable[[], int]) -> None:
        self._store = store
        self._clock_ms = clock_ms
        self._gate = Gate(Kind.SEARCH)
        self._gathered: dict[Term, Uses] = {}

    def note(self, user_id: int, query: str) -> None:
        """Note that a user (0: nobody known) searches for something."""
        found = of_query(query) if user_id and len(self._gathered) < MAX_GATHERED else None
        if found and self._gate.admitted([found.term.key], self._clock_ms()):
            uses = self._gathered.setdefault(found.term, Uses({}, found.form))
            uses.users[user_id] = self._clock_ms()

    async def flush(self) -> None:
        """Count what was noted. Raises redis' errors."""
        gathered, self._gathered = self._gathered, {}
        self._gate.counted_terms, levels = await self._store.levels(Kind.SEARCH)
        if gathered:
            await self._store.add(gathered, {Kind.SEARCH: levels})

    async def run(self) -> None:
        """Count now and then, for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except (RedisError, OSError) as error:
                log.warning("searches not counted", why=str(error))
