"""Finding over all shards: global weights, the answers of a second shared, typos fixed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from services.chassis.short_cache import ShortCache

from .authors import Authors
from .domain_ranking import scoring_leaves, weight_of
from .domain_shards import Answer, newest, ranked
from .domain_tree import TEXT, Node
from .index.snapshot import Question
from .query.understanding import Understood, corrected
from .shards.replica import Replica
from .shards.scatter import Scatter

CACHED_SECONDS = 1.0
"""An answer is shared for so long: with the index's own lag, news are found within 2 s."""
UNCHANGED_SECONDS = 8.0
"""And for so long where no tweet came with its words: only scores move a little meanwhile."""
MAX_CACHED = 8_000
MAX_STATISTICS = 200_000


class Found(NamedTuple):
    """The newest hits: by score where there is one, else newest first."""

    ids: tuple[int, ...]
    before: int
    """Others may match below this id; 0 where none does."""
    unreachable: tuple[str, ...]
    """The shards that did not answer."""
    until: float = 0.0
    """It is shared until then (monotonic)."""
    mark: int = 0
    """What the index held when this was found."""


class Changes(Protocol):
    """Tells whether an index of all tweets has got something that a search would find."""

    @property
    def mark(self) -> int:
        """What it holds now."""

    def unchanged(self, tree: Node, mark: int) -> bool:
        """Whether what was found at a mark is all that would be found now."""


class Key(NamedTuple):
    """What makes two searches the same for a second."""

    tree: Node
    limit: int
    before: int
    scored: bool


class Finder:
    """Searches of all shards."""

    def __init__(self, scatter: Scatter, authors: Authors, changes: Changes | None = None) -> None:
        self._scatter = scatter
        self._changes = changes
        self._authors = authors
        self._found: ShortCache[Key, Found] = ShortCache(2 * UNCHANGED_SECONDS, MAX_CACHED)
        self._under_way: dict[Key, asyncio.Task[Found]] = {}
        self._frequencies: ShortCache[str, int] = ShortCache(10 * CACHED_SECONDS, MAX_STATISTICS)
        self._documents = 0

    async def find(self, tree: Node, limit: int, *, before: int = 0, scored: bool = False) -> Found:
        """The newest `limit` hits with a smaller id (0: any); the same search is made once."""
        key = Key(tree, limit, before, scored)
        [known] = self._found.get_many([key])
        if known is not None and (shared := self._shared(key, known)) is not None:
            return shared
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._find(key))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    def _shared(self, key: Key, known: Found) -> Found | None:
        """What was found before, where it is young, or still all that there is to find."""
        now = time.monotonic()
        if now < known.until:
            return known
        if self._changes is None or now > known.until + UNCHANGED_SECONDS:
            return None
        # For a page of it only: until another commit may have come.
        unchanged = self._changes.unchanged(key.tree, known.mark)
        return known._replace(until=now + CACHED_SECONDS) if unchanged else None

    async def correct(self, understood: Understood) -> Understood:
        """A query with its typos fixed."""
        return await corrected(understood, self._word_frequencies)

    async def _find(self, key: Key) -> Found:
        until = time.monotonic() + CACHED_SECONDS
        mark = self._changes.mark if self._changes else 0
        weights = await self._weights(key.tree) if key.scored else None
        now_ms = int(time.time()) * 1000
        tree = await self._authors.resolved(key.tree)
        question = Question(tree, key.limit, key.before, weights, now_ms)

        async def ask(replica: Replica) -> Answer:
            return await replica.search(question)

        gathered = await self._scatter.ask(ask)
        answer = newest(gathered.answers, key.limit)
        ids = ranked(answer) if answer.scores else answer.ids
        before = answer.ids[-1] if len(answer.ids) == key.limit else answer.searched_to
        found = Found(tuple(ids), before, gathered.unreachable, until, mark)
        if not found.unreachable:
            self._found.put_many({key: found})
        return found

    async def _weights(self, tree: Node) -> dict[str, float]:
        terms = list(dict.fromkeys(term for leaf in scoring_leaves(tree) for term in leaf.terms))
        frequencies = await self.frequencies(terms)
        return {term: weight_of(frequencies[term], self._documents) for term in terms}

    async def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """How many tweets hold each term (`field:value`); known for some seconds."""
        found = dict(zip(terms, self._frequencies.get_many(terms), strict=True))
        missing = [term for term, count in found.items() if count is None]
        if missing:
            counted = await self._count(missing)
            self._frequencies.put_many(counted)
            found |= counted
        return {term: count or 0 for term, count in found.items()}

    async def _count(self, terms: Sequence[str]) -> dict[str, int]:
        async def ask(replica: Replica) -> tuple[Mapping[str, int], int]:
            frequencies, status = await replica.statistics(terms)
            return frequencies, status.tweet_count

        answers = (await self._scatter.ask(ask)).answers
        self._documents = sum(count for _, count in answers)
        return {term: sum(found.get(term, 0) for found, _ in answers) for term in terms}

    async def _word_frequencies(self, words: Sequence[str]) -> dict[str, int]:
        found = await self.frequencies([f"{TEXT}:{word}" for word in words])
        return {term.removeprefix(f"{TEXT}:"): count for term, count in found.items()}
