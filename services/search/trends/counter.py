"""Events become counts: who said what, of those whose tweets everybody may see."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter

from aviary.events.v1 import payload_pb2
from aviary.graph.v1.user_pb2 import User
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.events import Event

from ..domain_trends import WINDOW_MS, Kind, Term
from .gate import Gate
from .store import TrendStore, Uses
from .terms import Found, TermFinder

KNOWN_SECONDS = 30.0
"""How long it is remembered whether an account is protected."""
MAX_KNOWN = 200_000
LEVEL_SECONDS = 5.0
OF_TWEETS = (Kind.HASHTAG, Kind.TOPIC)


class Accounts(Protocol):
    """Answers accounts; those that are missing are left out."""

    async def get_users(self, user_ids: Collection[int]) -> Sequence[User]:
        """Users by id."""
        ...


class TrendCounter:
    """Handles batches of Tweet's log. Idempotent: counting somebody again changes nothing.

    Retweets do not count: they say who reads, not what people talk about.
    """

    def __init__(
        self,
        store: TrendStore,
        accounts: Accounts,
        finder: TermFinder,
        registry: CollectorRegistry,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._finder = finder
        self._clock_ms = clock_ms
        self._gates = {kind: Gate(kind) for kind in OF_TWEETS}
        self._levels: dict[Kind, dict[str, int]] = {}
        self._levels_until = 0.0
        self._open: dict[int, tuple[float, bool]] = {}
        self._counted = Counter(
            "aviary_search_trend_uses", "Terms of tweets that were counted", registry=registry
        )

    async def handle(self, events: Sequence[Event]) -> None:
        """Count what was posted and take back what was deleted."""
        await self._learn_levels()
        said: dict[Term, Uses] = {}
        now_ms = self._clock_ms()
        for tweet, ms in _posted(events, now_ms - WINDOW_MS):
            for term, form in self._admitted(tweet, now_ms):
                _note(said, term, form, tweet.user_id, ms)
        if hidden := await self._hidden({user for uses in said.values() for user in uses.users}):
            shown = {term: _without(uses, hidden) for term, uses in said.items()}
            said = {term: uses for term, uses in shown.items() if uses.users}
        await self._store.add(said, self._levels)
        self._counted.inc(sum(len(uses.users) for uses in said.values()))
        await self._store.remove(self._taken_back(events))

    def _admitted(self, tweet: Tweet, now_ms: int) -> Iterator[Found]:
        for kind, forms in self._finder.of_tweet(tweet).items():
            for key in self._gates[kind].admitted(forms, now_ms):
                yield Found(Term(kind, key), forms[key])

    def _taken_back(self, events: Sequence[Event]) -> dict[Term, dict[int, int]]:
        """What deleted tweets said, and when: whoever says it still has a newer time."""
        gone: dict[Term, dict[int, int]] = {}
        for event in events:
            if event.kind != "TweetDeleted":
                continue
            deleted = payload_pb2.TweetDeleted.FromString(event.payload).tweet
            ms = deleted.create_time.ToMilliseconds()
            for kind, forms in self._finder.of_tweet(deleted).items():
                for key in forms:
                    gone.setdefault(Term(kind, key), {})[deleted.user_id] = ms
        return gone

    async def _hidden(self, user_ids: Collection[int]) -> set[int]:
        """Those of some users whose tweets are not for everybody."""
        now = time.monotonic()
        unknown = [u for u in user_ids if self._open.get(u, (0.0, False))[0] < now]
        if unknown:
            users = await self._accounts.get_users(unknown)
            is_open = {user.user_id: not user.protected for user in users}
            for user_id in unknown:
                if len(self._open) >= MAX_KNOWN:
                    del self._open[next(iter(self._open))]
                self._open[user_id] = (now + KNOWN_SECONDS, is_open.get(user_id, False))
        return {user_id for user_id in user_ids if not self._open.get(user_id, (0.0, False))[1]}

    async def _learn_levels(self) -> None:
        if time.monotonic() < self._levels_until:
            return
        for kind, gate in self._gates.items():
            gate.counted_terms, self._levels[kind] = await self._store.levels(kind)
        self._levels_until = time.monotonic() + LEVEL_SECONDS


def _posted(events: Sequence[Event], since_ms: int) -> list[tuple[Tweet, int]]:
    """Tweets of the window and when they were posted (Unix ms).

    Retweets and what was imported from the past are left out.
    """
    found = []
    for event in events:
        if event.kind == "TweetCreated":
            tweet = payload_pb2.TweetCreated.FromString(event.payload).tweet
            ms = tweet.create_time.ToMilliseconds()
            if ms > since_ms and not tweet.HasField("retweeted_status"):
                found.append((tweet, ms))
    return found


def _note(said: dict[Term, Uses], term: Term, form: str, user_id: int, ms: int) -> None:
    uses = said.get(term)
    if uses is None:
        said[term] = Uses({user_id: ms}, form)
    else:
        uses.users[user_id] = max(ms, uses.users.get(user_id, 0))


def _without(uses: Uses, users: set[int]) -> Uses:
    return Uses({user: ms for user, ms in uses.users.items() if user not in users}, uses.form)
