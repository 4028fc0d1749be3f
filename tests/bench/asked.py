"""The targets, as data: each line names what must have been measured, and its bound."""

from collections.abc import Iterator
from dataclasses import dataclass

from .figures import Results


@dataclass(frozen=True, slots=True)
class Asked:
    """A bound on a figure, on its ratio to another one, or on a latency's ratio."""

    text: str
    name: str
    bound: float
    limit: str = ""
    at_least: bool = True
    part: str = ""
    """For a latency: which quantile or fact."""


ASKED = (
    Asked("home read, gRPC, Envoy host / its constant reply", "home-grpc", 0.3, "constant-grpc"),
    Asked("home read, gRPC, Envoy host / grpcio host", "home-grpc", 3, "home-grpcio"),
    Asked("home read, REST / baseline, 50 followees", "home-rest", 2, "baseline-home"),
    Asked("home read, REST / baseline, 500 followees", "home-rest-500", 5, "baseline-home-500"),
    Asked("home read, REST: 500 followees / 50 followees", "home-rest-500", 0.85, "home-rest"),
    Asked(
        "home read, REST at half load: p99 / baseline's", "latency-home", 0.5,
        "latency-baseline", at_least=False, part="p99",
    ),
    Asked("worker, deliveries/s to lists of 800", "worker", 300_000),
    Asked("end to end from stream ingest, deliveries/s", "end-to-end", 60_000),
    Asked(
        "delivery lag at half of that: p99, ms", "delivery-lag", 1_000, at_least=False, part="p99"
    ),
    Asked("post, gRPC / baseline's insert over HTTP", "post-grpc", 3, "baseline-post"),
    Asked("post, REST / baseline's insert over HTTP", "post-rest", 1.2, "baseline-post"),
    Asked("stream ingest, tweets/s", "ingest", 12_000),
    Asked(
        "time of a post: most followers / 10 followers", "post-time-most", 1.1, "post-time-ten",
        at_least=False,
    ),
    Asked("favourites of one tweet by many users, calls/s", "favorite-hot", 5_000),
    Asked("events into inboxes, events/s", "inbox-events", 5_000),
    Asked("search, Zipf queries/s, gRPC, while indexing", "search-zipf", 4_000),
    Asked("search, distinct queries/s, gRPC, while indexing", "search-distinct", 2_000),
    Asked("indexing in bulk, tweets/s", "index-bulk", 20_000),
    Asked("Redis, bytes per entry of a full list", "redis-bytes", 20, at_least=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was asked, and what was reached."""

    text: str
    bound: str
    reached: float
    met: bool


def verdicts(results: Results) -> Iterator[Verdict]:
    """One for each line of which this run measured everything."""
    for asked in ASKED:
        reached = _latency(asked, results) if asked.part else _figure(asked, results)
        if reached is not None:
            met = reached >= asked.bound if asked.at_least else reached <= asked.bound
            bound = f"at {'least' if asked.at_least else 'most'} {asked.bound:,g}"
            yield Verdict(asked.text, bound, reached, met)


def _figure(asked: Asked, results: Results) -> float | None:
    if asked.limit:
        return results.ratio(asked.name, asked.limit)
    figure = results.figure(asked.name)
    return figure.median if figure else None


def _latency(asked: Asked, results: Results) -> float | None:
    found = {each.name: each.median(asked.part) for each in results.latencies}
    if asked.name not in found or (asked.limit and asked.limit not in found):
        return None
    return found[asked.name] / (found[asked.limit] if asked.limit else 1.0)
