"""Reading: home and user timelines beside a constant reply of the same bytes, and the baseline."""

import contextlib
from pathlib import Path

import httpx

from aviary.timeline.v1 import timeline_service_pb2 as pb

from .bench import BASELINE_USER, HOME_PATH, Bench, baseline_homes, some
from .constant import PAGE
from .figures import Figure, Latency
from .hosts import edge, replica
from .load import Load, RestCall, as_user, bearing, grpc_rate, rest_rate, write_calls
from .openloop import under_rate
from .world import FOLLOWEES, HOME, SEED, calling

STAGE = "reads"
FIGURES = (
    "constant-grpc", "constant-grpcio", "constant-edge-grpc", "constant-edge-rest", "home-grpc",
    "home-grpcio", "home-edge-grpc", "home-rest", "baseline-home", "home-rest-500",
    "baseline-home-500", "home-rest-zipf", "baseline-home-zipf", "user-rest", "baseline-user",
    "user-grpc",
)  # fmt: skip
USER = "/aviary.timeline.v1.TimelineService/GetUserTimeline"
PAGE_OF_20 = pb.GetHomeTimelineRequest(page_size=20)


async def reads(bench: Bench) -> None:
    """All figures of reading."""
    settings, log = bench.world.mesh.settings, bench.folder / "replicas.log"
    environ = {PAGE: str(bench.folder / "page")}
    size, json_size = await _keep_page(bench)
    async with contextlib.AsyncExitStack() as stack:
        constants = {
            host: await stack.enter_async_context(
                replica("tests.bench.constant", host, settings, log, environ)
            )
            for host in ("envoy", "grpcio")
        }
        grpcio = await stack.enter_async_context(
            replica("services.timeline.main", "grpcio", settings, log)
        )
        front = await stack.enter_async_context(edge(settings, log, constants["envoy"]))
        kb = f"{size / 1000:.1f} kB"
        await bench.take_turns(
            STAGE,
            [
                _direct(bench, "constant-grpc", f"constant page of {kb}, gRPC, Envoy host",
                        constants["envoy"], size),
                _direct(bench, "constant-grpcio", f"constant page of {kb}, gRPC, grpcio host",
                        constants["grpcio"], size),
                _edged(bench, "constant-edge-grpc", f"constant page of {kb}, gRPC, edge",
                       front, size),
                _constant_rest(bench, front, json_size),
                _direct(bench, "home-grpc", "home of 20, gRPC, Envoy host",
                        bench.world.mesh.address("timeline"), size // 2,
                        ("constant-grpc", "home-grpcio")),
                _direct(bench, "home-grpcio", "home of 20, gRPC, grpcio host", grpcio, size // 2,
                        ("constant-grpcio",)),
                _edged(bench, "home-edge-grpc", "home of 20, gRPC, edge",
                       bench.world.mesh.edge_url.removeprefix("http://"), size // 2,
                       ("constant-edge-grpc",)),
                *_rest(bench),
                _user_grpc(bench),
            ],
        )  # fmt: skip


def _rest(bench: Bench) -> list[Figure]:
    """Through the edge as JSON, for random users, beside the baseline."""
    world = bench.world
    readers, many = world.readers[FOLLOWEES], world.readers[500]
    authors = [RestCall("GET", _user_path(one), world.token(one)) for one in readers]
    baseline_authors = [RestCall("GET", f"{BASELINE_USER}{one}") for one in readers]
    return [
        bench.rest("home-rest", "home of 20, REST, 50 followees", bench.homes(readers),
                   ("constant-edge-rest", "baseline-home")),
        bench.rest("baseline-home", "baseline: home of 20, 50 followees", baseline_homes(readers)),
        bench.rest("home-rest-500", "home of 20, REST, 500 followees", bench.homes(many),
                   ("baseline-home-500", "home-rest")),
        bench.rest("baseline-home-500", "baseline: home of 20, 500 followees",
                   baseline_homes(many)),
        bench.rest("home-rest-zipf", "home of 20, REST, Zipf(1.0) authors",
                   bench.homes(world.zipf_readers), ("home-rest", "baseline-home-zipf")),
        bench.rest("baseline-home-zipf", "baseline: home of 20, Zipf(1.0) authors",
                   baseline_homes(world.zipf_readers)),
        bench.rest("user-rest", "user timeline of 10, REST", authors, ("baseline-user",)),
        bench.rest("baseline-user", "baseline: user timeline of 10", baseline_authors),
    ]  # fmt: skip


async def latency(bench: Bench) -> None:
    """Home reads over REST at half of what each server can do, in turn; and at the same rate."""
    readers = bench.world.readers[FOLLOWEES]
    ours = write_calls(bench.folder / "ours.calls", bench.homes(readers))
    theirs = write_calls(bench.folder / "theirs.calls", baseline_homes(readers))
    urls = {ours: bench.world.mesh.edge_url, theirs: bench.baseline}
    half = {
        file: await _saturation(bench, name, urls[file], file) / 2
        for name, file in (("home-rest", ours), ("baseline-home", theirs))
    }
    measured = [
        (ours, Latency("latency-home", "home, REST, at half of its saturation", half[ours])),
        (theirs, Latency("latency-baseline", "baseline: at half of its saturation", half[theirs])),
        (ours, Latency("latency-home-same", "home, REST, at the baseline's rate", half[theirs])),
    ]
    for number in range(bench.plan.rounds):
        for file, found in measured:
            seconds = 2 * bench.plan.seconds
            milliseconds, facts = await under_rate(
                urls[file], file, found.rate, seconds, SEED + number
            )
            found.add(milliseconds, **facts)
    bench.results.latencies.extend(found for _, found in measured)


async def _saturation(bench: Bench, name: str, url: str, calls: Path) -> float:
    known = bench.results.figure(name)
    return known.median if known else await rest_rate(url, calls, max(2.0, bench.plan.seconds))


async def _keep_page(bench: Bench) -> tuple[int, int]:
    """Keep one page as both renderings for the constant service; their sizes."""
    world = bench.world
    reader = world.readers[FOLLOWEES][0]
    async with calling(world.mesh.address("timeline"), HOME) as call:
        page = await call(reader, PAGE_OF_20)
    headers = {"authorization": f"Bearer {world.token(reader)}"}
    async with httpx.AsyncClient(base_url=world.mesh.edge_url, trust_env=False) as client:
        reply = (await client.get(HOME_PATH, headers=headers)).raise_for_status()
    (bench.folder / "page").write_bytes(page)
    (bench.folder / "page.json").write_bytes(reply.content)
    return len(page), len(reply.content)


def _direct(
    bench: Bench, name: str, title: str, address: str, size: int, limits: tuple[str, ...] = ()
) -> Figure:
    """Calls to a replica, each load process for another random user."""

    async def measure(seconds: float) -> float:
        callers = [as_user(one) for one in some(bench.world.readers[FOLLOWEES])]
        return await grpc_rate(Load(address, [HOME], PAGE_OF_20, size, callers), seconds)

    return Figure(name, title, "calls/s", measure, limits)


def _edged(
    bench: Bench, name: str, title: str, address: str, size: int, limits: tuple[str, ...] = ()
) -> Figure:
    """The same through an edge, which checks their tokens."""

    async def measure(seconds: float) -> float:
        readers = some(bench.world.readers[FOLLOWEES])
        callers = [bearing(bench.world.token(one)) for one in readers]
        return await grpc_rate(Load(address, [HOME], PAGE_OF_20, size, callers), seconds)

    return Figure(name, title, "calls/s", measure, limits)


def _constant_rest(bench: Bench, front: str, size: int) -> Figure:
    calls = bench.homes(bench.world.readers[FOLLOWEES])
    file = write_calls(bench.folder / "constant.calls", calls)
    return Figure(
        "constant-edge-rest",
        f"constant page of {size / 1000:.1f} kB, REST, edge",
        "calls/s",
        lambda seconds: rest_rate(f"http://{front}", file, seconds),
    )


def _user_grpc(bench: Bench) -> Figure:
    address = bench.world.mesh.address("timeline")

    async def measure(seconds: float) -> float:
        callers = [as_user(one) for one in some(bench.world.readers[FOLLOWEES])]
        request = pb.GetUserTimelineRequest(user_id="me", page_size=20)
        return await grpc_rate(Load(address, [USER], request, 500, callers), seconds)

    title = "user timeline of 10, gRPC, Envoy host"
    return Figure("user-grpc", title, "calls/s", measure, ("constant-grpc",))


def _user_path(user_id: int) -> str:
    return f"/api/v1/user_timeline?user_id={user_id}&page_size=20"
