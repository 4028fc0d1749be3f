"""What the stages share while a mesh runs, and the calls that they make."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from aviary.events.v1 import event_service_pb2 as events_pb

from .figures import Figure, Plan, Results, at_once
from .hosts import until
from .load import RestCall, rest_rate, write_calls
from .world import World

PROCESSES = 16
"""Load processes of a gRPC figure, each for another user, drawn anew for each measurement."""
DRAIN_SECONDS = 120.0
GET_LAG = "/aviary.events.v1.EventService/GetLag"
HOME_PATH = "/api/v1/home_timeline?user_id=me&page_size=20"
BASELINE_HOME, BASELINE_USER = "/home?user_id=", "/user?user_id="


@dataclass(frozen=True, slots=True)
class Bench:
    """A populated mesh, the baseline beside it, and where results go."""

    world: World
    plan: Plan
    results: Results
    folder: Path
    """For files of the load generators."""
    baseline: str
    """The baseline's URL; empty where nothing of it was asked for."""

    async def take_turns(self, stage: str, figures: Sequence[Figure]) -> None:
        """Measure what was asked for, and keep it."""
        chosen = [
            each
            for each in self.plan.chosen(stage, figures)
            if self.baseline or not each.name.startswith("baseline")
        ]
        await self.plan.take_turns(stage, chosen)
        self.results.figures.extend(chosen)

    def rest(
        self,
        name: str,
        title: str,
        calls: Sequence[RestCall],
        limits: tuple[str, ...] = (),
        *,
        writes: bool = False,
    ) -> Figure:
        """A figure of calls through the edge, or to the baseline, drawn at random."""
        file = write_calls(self.folder / f"{name}.calls", calls)
        url = self.baseline if name.startswith("baseline") else self.world.mesh.edge_url
        settle = self.drained if writes else at_once
        return Figure(name, title, "calls/s", lambda s: rest_rate(url, file, s), limits, settle)

    def homes(self, readers: Iterable[int]) -> list[RestCall]:
        """Home reads through the edge."""
        return [RestCall("GET", HOME_PATH, self.world.token(one)) for one in readers]

    async def drained(self) -> None:
        """Wait until the worker has delivered everything."""
        async with grpc.aio.insecure_channel(self.world.mesh.address("tweet")) as channel:
            call = channel.unary_unary(
                GET_LAG,
                events_pb.GetLagRequest.SerializeToString,
                events_pb.GetLagResponse.FromString,
            )

            async def empty() -> bool:
                reply = await call(events_pb.GetLagRequest(group="fanout"), timeout=10)
                return not any(one.backlog_count + one.retry_count for one in reply.groups)

            await until(empty, DRAIN_SECONDS, every=0.01)


def baseline_homes(readers: Iterable[int]) -> list[RestCall]:
    """Home reads from the baseline."""
    return [RestCall("GET", f"{BASELINE_HOME}{one}") for one in readers]


def some(user_ids: Sequence[int], count: int = PROCESSES) -> list[int]:
    """Random users, other ones each time."""
    return random.sample(list(user_ids), min(count, len(user_ids)))
