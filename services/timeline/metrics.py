"""What the Timeline service and its worker count."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LAG_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds; an edge lies at each promised lag (1 and 5 s)."""
BATCH_BUCKETS = (1, 5, 20, 50, 100, 200, 500)


class ReadMetrics:
    """How home timelines were answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sql_reads = Counter(
            "aviary_timeline_sql_reads",
            "Home reads that needed SQL, by why: redis_away or past_list",
            ["why"],
            registry=registry,
        )
        self.whole_reads = Counter(
            "aviary_timeline_whole_list_reads",
            "Home reads of which a window of the list did not prove the order",
            registry=registry,
        )
        self.builds = Counter(
            "aviary_timeline_list_builds", "Home lists built from SQL", registry=registry
        )


class FanoutMetrics:
    """What the worker delivered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "aviary_timeline_deliveries", "Entries written to home lists", registry=registry
        )
        self.inactive = Counter(
            "aviary_timeline_inactive_deliveries",
            "Entries that met no list, because their reader is not active",
            registry=registry,
        )
        self.dropped_lists = Counter(
            "aviary_timeline_dropped_lists",
            "Lists dropped, by why: follow (one that was being built, or could not be mended), or"
            " unanswered (what was sent may yet land)",
            ["why"],
            registry=registry,
        )
        self.ring_deliveries = Counter(
            "aviary_timeline_ring_deliveries", "Entries written to rings", registry=registry
        )
        self.pulled_tweets = Counter(
            "aviary_timeline_pulled_tweets",
            "Tweets that were not written into followers' lists, because their author is pulled",
            registry=registry,
        )
        self.mended_lists = Counter(
            "aviary_timeline_mended_lists",
            "Home lists into which a followee's tweets were put or from which they were taken",
            registry=registry,
        )
        self.leaving_followers = Gauge(
            "aviary_timeline_leaving_followers",
            "Followers whose lists are yet to be looked at for the author who is being pushed"
            " again; 0 where there is none",
            registry=registry,
        )
        self.lag = Histogram(
            "aviary_timeline_delivery_lag_seconds",
            "From a tweet's creation to its delivery",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.batch = Histogram(
            "aviary_timeline_fanout_batch_tweets",
            "Tweets delivered at a time",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
