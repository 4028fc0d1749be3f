"""Everything that answers reads, put together from a replica's stores and peers."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from services.chassis.shelf import FRESH_SECONDS as CONTENT_SECONDS
from services.chassis.snowflake import wall_clock_ms
from services.chassis.visibility import FRESH_SECONDS as VERDICT_SECONDS
from services.chassis.visibility import Visibility

from .explain import Explainer, Registry, VerdictSource
from .home import HomeTimelines
from .hydrate import Hydrator
from .metrics import ReadMetrics
from .parents import Parents
from .rebuild import Builds
from .relations import RelationsCache, RulesSource
from .rings import FRESH_SECONDS as RING_SECONDS
from .rings import Rings
from .skeleton import Skeleton
from .sources import GraphSource, Truth, TweetSource
from .store import Lists
from .top import TopTimelines
from .user_timeline import TweetLists, UserTimelines


class Tweets(TweetSource, TweetLists, Protocol):
    """The Tweet service; `clients.tweet.TweetClient` is one."""


class Graph(GraphSource, RulesSource, VerdictSource, Protocol):
    """The Graph service; `clients.graph.GraphClient` is one."""


class Freshness(NamedTuple):
    """For how many seconds what was read may be handed out again."""

    content: float = CONTENT_SECONDS
    rings: float = RING_SECONDS
    verdicts: float = VERDICT_SECONDS


FRESHNESS = Freshness()


class Readers:
    """The readers of one replica, which share its caches."""

    def __init__(
        self,
        tweets: Tweets,
        graph: Graph,
        lists: Lists,
        ring_lists: Lists,
        policy: Registry,
        metrics: ReadMetrics,
        *,
        fresh: Freshness = FRESHNESS,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        truth = Truth(tweets, graph)
        self.builds = Builds(lists, truth.newest, metrics)
        self.ring_builds = Builds(ring_lists, truth.newest_of_author, metrics)
        self.hydrator = Hydrator(tweets, graph, fresh.content)
        self.relations = RelationsCache(graph)
        rings = Rings(ring_lists, self.ring_builds, fresh.rings)
        skeleton = Skeleton(lists, self.builds, rings, truth, policy, metrics)
        self.home = HomeTimelines(skeleton, self.hydrator, Parents(self.hydrator, clock_ms))
        self.top = TopTimelines(self.home, self.hydrator, graph, clock_ms)
        self.explainer = Explainer(skeleton, self.hydrator, graph, self.top, policy, clock_ms)
        visibility = Visibility(graph.check_visibility, fresh_seconds=fresh.verdicts)
        self.users = UserTimelines(tweets, self.hydrator, visibility)

    async def aclose(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(self.builds.aclose(), self.ring_builds.aclose())
