"""Live streams as a process: `python -m services tests.timeline.live_service`, on either host.

Its log is at AVIARY_TWEET_ADDRESS; everybody follows user 2, whose tweets are all alike.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

from aviary.timeline.v1 import timeline_service_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.channel import Peer
from services.chassis.server import Runtime, Service
from services.timeline.home import HomeTimelines
from services.timeline.hydrate import Hydrator
from services.timeline.live import outlet
from services.timeline.live.live import open_live
from services.timeline.parents import Parents
from services.timeline.relations import RelationsCache
from services.timeline.servicer.streams import StreamMethods

from .world import World

DESCRIPTOR = timeline_service_pb2.DESCRIPTOR.services_by_name["TimelineService"]
AUTHOR = 2


class Sameness(World):
    """Every id is a tweet of one author, every user follows this one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.user(AUTHOR)
        self._status = "x" * size

    async def batch_get_raw(self, tweet_ids: Iterable[int]) -> dict[int, bytes]:
        return {
            i: Tweet(tweet_id=i, user_id=AUTHOR, status=self._status).SerializeToString()
            for i in tweet_ids
        }

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int, mutual: bool = False
    ) -> Any:
        self.follows = {(user_id, AUTHOR) for user_id in user_ids}
        return await super().viewer_rules(user_ids, surface=surface, mutual=mutual)


@contextlib.asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[Service]:
    outlet.STALL_SECONDS = float(os.environ.get("LIVE_STALL_SECONDS", "10"))
    outlet.CUT_SECONDS = 1.0
    world = Sameness(int(os.environ.get("LIVE_TWEET_BYTES", "100")))
    address = runtime.settings.tweet_address
    hydrator = Hydrator(world, world)
    async with (
        Peer("tweet", address) as tweets,
        Peer("graph", address) as graph,
        open_live(
            tweets=tweets, graph=graph, relations=RelationsCache(world), hydrator=hydrator,
            home=HomeTimelines(cast(Any, None), hydrator, Parents(hydrator)),
            draining=runtime.draining, registry=runtime.registry,
        ) as live,
    ):  # fmt: skip
        yield Service({DESCRIPTOR: StreamMethods(live)})
