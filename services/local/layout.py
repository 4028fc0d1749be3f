"""Which replicas of which processes run, and in which zone each is.

A first replica is named for its service (`tweet`), the next ones `tweet.2`, `tweet.3`; shards of
search are `search`, `search-1`, and their replicas `search.2`, `search-1.2`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.chassis.config import Settings

SINGLE_ZONE = "local"
WORKERS = {"fanout", "trends", "notifier"}
MOST_WORKERS = 2
"""Replicas of a worker: one takes over from the other, more would only share the work."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of the table by name, and its zone."""

    name: str
    zone: str

    @property
    def kind(self) -> str:
        """The service that it runs, or the store that it is."""
        return kind_of(self.name)

    @property
    def shard(self) -> int:
        """The shard of search that it holds."""
        return int(self.name.partition(".")[0].partition("-")[2] or 0)

    @property
    def number(self) -> int:
        """Which of its service's replicas it is, from 1."""
        return int(self.name.partition(".")[2] or 1)


def kind_of(name: str) -> str:
    """The service that a process runs, or the store that it is, by its name."""
    return name.partition(".")[0].partition("-")[0]


def numbered(name: str, number: int) -> str:
    """The name of a replica."""
    return name if number == 1 else f"{name}.{number}"


def zones(settings: Settings) -> tuple[str, ...]:
    """The names of the zones."""
    if settings.local_zones <= 1:
        return (SINGLE_ZONE,)
    return tuple(f"zone-{chr(ord('a') + number)}" for number in range(settings.local_zones))


def spread(name: str, count: int, names: tuple[str, ...], first: int = 0) -> list[Replica]:
    """Replicas of one process, one zone after the other from the first on."""
    return [
        Replica(numbered(name, number), names[(first + number - 1) % len(names)])
        for number in range(1, count + 1)
    ]


def replicas(services: Iterable[str], settings: Settings) -> list[Replica]:
    """All processes that run these services; each service begins in another zone.

    So two replicas over three zones load the zones alike. Of the edge each zone has one.
    """
    names = zones(settings)
    found: list[Replica] = []
    for first, service in enumerate(services):
        if service == "edge":
            found += spread(service, len(names), names)
            continue
        most = MOST_WORKERS if service in WORKERS else settings.local_replicas
        count = max(1, min(most, settings.local_replicas))
        shards = settings.local_search_shards if service == "search" else 1
        for shard in range(shards):
            name = f"{service}-{shard}" if shard else service
            found += spread(name, count, names, first + shard)
    return found
