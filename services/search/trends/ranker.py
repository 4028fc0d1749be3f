"""The ranking: made every few seconds by whoever holds the lease, read by everybody."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Gauge
from redis.exceptions import RedisError

from aviary.search.v1 import search_service_pb2 as pb

from ..domain_trends import HOUR_MS, MIN_USERS, Counted, Kind, Term, baseline, trending
from .history import TrendHistory
from .store import MAX_MEMBERS, MAX_TERMS, Known, TrendStore

RANK_SECONDS = 5.0
LEASE_SECONDS = 20.0
RECORDED_USERS = 3
"""An hour in which fewer used a term is as one in which nobody did."""
log = structlog.get_logger()


class Ranker:
    """Counts, compares with what is usual, and publishes."""

    def __init__(
        self,
        store: TrendStore,
        history: TrendHistory,
        holder: str,
        registry: CollectorRegistry,
        clock_ms: Callable[[], int],
        *,
        max_terms: int = MAX_TERMS,
    ) -> None:
        self._store = store
        self._history = history
        self._holder = holder
        self._clock_ms = clock_ms
        self._max_terms = max_terms
        self._hour = 0
        self._usual: dict[Term, dict[int, int]] = {}
        self._recorded: set[int] = set()
        self._ranked = Gauge(
            "aviary_search_trends_ranked_timestamp_seconds",
            "When trends were last ranked by this process (Unix time)",
            registry=registry,
        )
        self._terms = Gauge(
            "aviary_search_trend_terms", "Terms being counted", ["kind"], registry=registry
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Rank now and then until `stop`; what fails is tried again."""
        while not stop.is_set():
            try:
                if await self._store.hold_lease(self._holder, LEASE_SECONDS):
                    await self.rank()
            except (RedisError, psycopg.Error, OSError) as error:
                log.warning("trends not ranked", why=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RANK_SECONDS):
                    await stop.wait()

    async def rank(self) -> pb.ListTrendsResponse:
        """Rank once, publish, and keep house."""
        now_ms = self._clock_ms()
        known = {kind: await self._store.known(kind) for kind in Kind}
        volumes: dict[Term, int] = {}
        for kind, (terms, levels, _) in known.items():
            counted = await self._store.volumes(kind, terms, levels, now_ms)
            volumes |= {Term(kind, key): volume for key, volume in counted.items()}
            self._terms.labels(kind.name.lower()).set(len(terms))
        await self._turn_hour(now_ms // HOUR_MS, volumes)
        hidden = await self._history.hidden()
        candidates = [t for t, v in volumes.items() if v >= MIN_USERS[t.kind] and t not in hidden]
        await self._learn([term for term in candidates if term not in self._usual])
        found = trending(
            Counted(term, volumes[term], baseline(now_ms, self._usual[term], self._recorded))
            for term in candidates
        )
        ranking = await self._publish(found, {kind: each.forms for kind, each in known.items()})
        await self._keep_house(known, volumes, now_ms)
        self._ranked.set(time.time())
        return ranking

    async def _publish(
        self, found: Sequence[Counted], forms: Mapping[Kind, Mapping[str, str]]
    ) -> pb.ListTrendsResponse:
        before = pb.ListTrendsResponse.FromString(await self._store.published() or b"")
        since = {(trend.kind, trend.name.casefold()): trend.start_time for trend in before.trends}
        ranking = pb.ListTrendsResponse()
        ranking.as_of.FromMilliseconds(self._clock_ms())
        for rank, each in enumerate(found, 1):
            form = forms[each.term.kind].get(each.term.key, each.term.key)
            trend = ranking.trends.add(
                rank=rank,
                kind=f"TREND_KIND_{each.term.kind.name}",
                name=form,
                volume=each.volume,
                score=round(each.score, 3),
                query=f'"{form}"' if each.term.kind is Kind.TOPIC and " " in form else form,
            )
            trend.start_time.CopyFrom(since.get((trend.kind, form.casefold()), ranking.as_of))
        await self._store.publish(ranking.SerializeToString())
        return ranking

    async def _turn_hour(self, hour: int, volumes: Mapping[Term, int]) -> None:
        """At the first ranking of an hour the window is the hour before: that is what is kept."""
        if hour == self._hour:
            return
        if self._hour == hour - 1:
            kept = {term: v for term, v in volumes.items() if v >= RECORDED_USERS}
            await self._history.record(hour - 1, kept)
        self._recorded = await self._history.recorded_hours()
        self._usual.clear()
        self._hour = hour

    async def _learn(self, terms: Collection[Term]) -> None:
        if terms:
            self._usual |= await self._history.volumes(terms)

    async def _keep_house(
        self, known: Mapping[Kind, Known], volumes: Mapping[Term, int], now_ms: int
    ) -> None:
        """Forget what nobody says any more, and what is said least where there is too much."""
        for kind, (terms, levels, _) in known.items():
            cold = {key for key in terms if not volumes[Term(kind, key)]}
            alive = sorted(set(terms) - cold, key=lambda key: volumes[Term(kind, key)])
            cold |= set(alive[: max(0, len(alive) - self._max_terms * 3 // 4)])
            await self._store.forget(kind, cold)
            large = [
                key
                for key in alive
                if key not in cold
                and (volumes[Term(kind, key)] >> levels.get(key, 0) > MAX_MEMBERS or key in levels)
            ]
            await self._store.thin(kind, large, levels, now_ms)
