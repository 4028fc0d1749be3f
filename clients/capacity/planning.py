"""From a load and measured figures to pods, shards, memory, disk, network and what costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from .measured import Figure
from .profiles import Profile
from .sheet import Section, shown

ENTRIES = 800
"""Entries that a home list keeps."""
PAGE_BYTES, REQUEST_BYTES = 17_200, 1_000
"""A page of 20 tweets as JSON (docs/performance.md), and a request with its headers."""
COMMAND_BYTES = 70
"""An `LPUSHX home:<id> <17 bytes>` on the wire."""
TWEET_BYTES, ROW_BYTES, USER_BYTES = 330, 700, 250
"""A cached tweet (6.7 kB a page of 20), its rows with indexes and event, a user: estimated."""
NODE_GIB, DISK_TB = 12, 2
"""What one Redis master and one database server are given."""
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decides."""

    peak: float = 3.1
    """The busiest second over the average one: document 003's 1M over 325K."""
    utilisation: float = 0.6
    """How much of what was measured a pod is given in the busiest second."""
    search_days: int = 1
    """Days of tweets that are searched."""
    years: int = 1
    """Years of tweets that are kept in SQL."""


@dataclass(slots=True)
class Load:
    """The busiest second, and averages where those matter."""

    users: float
    tweets: float
    tweets_peak: float
    deliveries_peak: float
    reads: float
    reads_peak: float
    searches_peak: float


def plan(profile: Profile, figures: Mapping[str, Figure], options: Options) -> list[Section]:
    """All sections, in the order in which they build on each other."""
    load_section, load = _load(profile, options)
    pods, cores = _pods(load, figures, options)
    memory, gib = _memory(load, figures)
    search, search_cores = _search(load, figures, options)
    disk, tb = _disk(profile, load, figures, options)
    network, egress = _network(load)
    drivers = Section("What costs")
    for title, value, unit in (
        ("cores of services", cores + search_cores, "cores"),
        ("memory of Redis", gib, "GiB"),
        ("disks of databases, three copies", tb, "TB"),
        ("traffic to readers", egress, "TB a month"),
    ):
        drivers.add(title, shown(value), unit)
    return [load_section, pods, memory, search, disk, network, drivers]


def _load(profile: Profile, options: Options) -> tuple[Section, Load]:
    part = Section(f"Load ({profile.document})")
    peak = shown(options.peak)
    users = part.add("active users", profile.active_users, "users")
    tweets = part.add("tweets", profile.tweets, "/s")
    tweets_peak = part.add("tweets, at the peak", f"{shown(tweets)} x {peak}", "/s")
    each = part.add("deliveries a tweet", profile.deliveries, "")
    deliveries = part.add("deliveries, peak", f"{shown(tweets_peak)} x {shown(each)}", "/s")
    reads = part.add("timeline reads", profile.reads, "/s")
    reads_peak = part.add("timeline reads, at the peak", f"{shown(reads)} x {peak}", "/s")
    searches = part.add("searches", profile.searches, "/s")
    searches_peak = part.add("searches, at the peak", f"{shown(searches)} x {peak}", "/s")
    part.add("reads to writes", f"{shown(reads)} / {shown(tweets)}", ": 1")
    return part, Load(users, tweets, tweets_peak, deliveries, reads, reads_peak, searches_peak)


def _pods(load: Load, figures: Mapping[str, Figure], options: Options) -> tuple[Section, float]:
    """Pods that do the peak with one of three zones gone, never fewer than three."""
    part = Section("Pods (two of three zones do the peak)")

    def pods(title: str, rate: float, name: str, why: str = "") -> float:
        figure = figures[name]
        working = (
            f"max(3, ceil({shown(rate)} / ({shown(figure.median)} x {options.utilisation:g})"
            " x 3 / 2))"
        )
        return part.add(title, working, "pods", why or f"{figure.title} ({figure.source})")

    edge = pods("edge", load.reads_peak + load.tweets_peak, "constant-edge-rest")
    home = pods("timeline-read", load.reads_peak, "home-grpc")
    half = "one for two of Timeline's: assumed, as in-process caches stand before them"
    tweet = part.add("tweet-read", f"max(3, ceil({shown(home)} / 2))", "pods", half)
    graph = part.add("graph-read", f"max(3, ceil({shown(home)} / 2))", "pods", half)
    post = pods("tweet-write", load.tweets_peak, "post-grpc")
    fanout = pods("fanout", load.deliveries_peak, "end-to-end")
    notifier = pods("notifier", load.tweets_peak, "inbox-events", "an event a tweet: assumed")
    total = " + ".join(shown(each) for each in (edge, home, tweet, graph, post, fanout, notifier))
    part.add("pods in all", total, "pods", "beside the fixed ones")
    cores = part.add(
        "cores", f"2 x ({total})", "cores", "each was measured on two, with its stores"
    )
    return part, cores


def _memory(load: Load, figures: Mapping[str, Figure]) -> tuple[Section, float]:
    part = Section("Redis (a cache: nothing is lost with it)")
    entry = figures["redis-bytes"]
    lists = part.add(
        "home timelines",
        f"{shown(load.users)} x {ENTRIES} x {shown(entry.median)} / 1,073,741,824", "GiB",
        f"{entry.title} ({entry.source})",
    )  # fmt: skip
    month = part.add(
        "tweets of a month",
        f"{shown(load.tweets)} x 86,400 x {MONTH_DAYS} x {TWEET_BYTES} / 1,073,741,824", "GiB",
        "the documents want a month in the Tweet Info cache; what is read again is far less",
    )  # fmt: skip
    users = part.add("active users", f"{shown(load.users)} x {USER_BYTES} / 1,073,741,824", "GiB")
    total = part.add(
        "with a replica each", f"2 x ({shown(lists)} + {shown(month)} + {shown(users)})", "GiB"
    )
    part.add("masters by memory", f"ceil({shown(total)} / 2 / {NODE_GIB})", f"of {NODE_GIB} GiB")
    rate = figures["lpushx-raw"]
    part.add(
        "masters by deliveries",
        f"ceil({shown(load.deliveries_peak)} / ({shown(rate.median)} x 0.6))", "masters",
        f"{rate.title} ({rate.source})",
    )  # fmt: skip
    return part, total


def _search(load: Load, figures: Mapping[str, Figure], options: Options) -> tuple[Section, float]:
    part = Section(f"Search ({options.search_days} days of tweets)")
    cost, size = figures["search-cost"], figures["search-bytes"]
    held = part.add(
        "tweets in the index", f"{shown(load.tweets)} x 86,400 x {options.search_days}", "tweets"
    )
    cores = part.add(
        "cores",
        f"ceil({shown(load.searches_peak)} x {shown(held)} / 1,000,000 x {shown(cost.median)}"
        f" / 1,000,000 / {options.utilisation:g})", "cores",
        f"{cost.title}: a query asks every shard ({cost.source})",
    )  # fmt: skip
    part.add("shards of two cores", f"max(3, ceil({shown(cores)} / 2))", "shards", "two copies")
    part.add(
        "index, two copies", f"2 x {shown(held)} x {shown(size.median)} / 1,000,000,000", "GB",
        f"{size.title} ({size.source})",
    )  # fmt: skip
    indexing = figures["index-bulk"]
    part.add(
        "shards by indexing",
        f"ceil({shown(load.tweets_peak)} / ({shown(indexing.median)} x {options.utilisation:g}))",
        "shards", f"{indexing.title} ({indexing.source})",
    )  # fmt: skip
    return part, cores


def _disk(
    profile: Profile, load: Load, figures: Mapping[str, Figure], options: Options
) -> tuple[Section, float]:
    part = Section(f"SQL and media ({options.years} years)")
    days = f"365 x {options.years}"
    rows = part.add(
        "rows of tweets",
        f"{shown(load.tweets)} x 86,400 x {days} x {ROW_BYTES} / 1,000,000,000,000", "TB",
        f"{ROW_BYTES} bytes a tweet with indexes: estimated",
    )  # fmt: skip
    part.add("shards by size", f"ceil({shown(rows)} / {DISK_TB})", f"of {DISK_TB} TB")
    ingest = figures["ingest"]
    part.add(
        "shards by writes",
        f"ceil({shown(load.tweets_peak)} / ({shown(ingest.median)} x {options.utilisation:g}))",
        "shards", f"{ingest.title} ({ingest.source}); favourites and follows come on top",
    )  # fmt: skip
    copies = part.add("primary and two standbys", f"3 x {shown(rows)}", "TB")
    part.add(
        "media in the object store",
        f"{shown(load.tweets)} x 86,400 x {days} x {profile.media_bytes} / 1,000,000,000,000", "TB",
        "of the average tweet",
    )  # fmt: skip
    return part, copies


def _network(load: Load) -> tuple[Section, float]:
    part = Section("Network")
    part.add(
        "pages to readers, at the peak",
        f"{shown(load.reads_peak)} x {PAGE_BYTES} x 8 / 1,000,000,000", "Gbit/s",
        "before compression; media come from a CDN",
    )  # fmt: skip
    part.add(
        "requests, at the peak",
        f"({shown(load.reads_peak)} + {shown(load.tweets_peak)}) x {REQUEST_BYTES} x 8"
        " / 1,000,000,000", "Gbit/s",
    )  # fmt: skip
    part.add(
        "deliveries to Redis, at the peak",
        f"{shown(load.deliveries_peak)} x {COMMAND_BYTES} x 8 / 1,000,000,000", "Gbit/s",
    )  # fmt: skip
    monthly = part.add(
        "pages to readers, a month",
        f"{shown(load.reads)} x 86,400 x {MONTH_DAYS} x {PAGE_BYTES} / 1,000,000,000,000", "TB",
    )  # fmt: skip
    return part, monthly
