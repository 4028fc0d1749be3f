"""What the live streams count."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LAG_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds; 5 s is the promise."""


class LiveMetrics:
    """Open streams and what they are told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("aviary_timeline_open_streams", "Streams open now", registry=registry)
        self.events = Counter(
            "aviary_timeline_stream_events",
            "Events written to streams, by kind: tweet, delete, gap or error",
            ["event"],
            registry=registry,
        )
        self.closed = Counter(
            "aviary_timeline_closed_streams",
            "Streams that ended, by why: client, slow, draining, expired or failed",
            ["why"],
            registry=registry,
        )
        self.history = Gauge(
            "aviary_timeline_stream_history_records",
            "Records of Tweet's log kept for resuming",
            registry=registry,
        )
        self.lag = Histogram(
            "aviary_timeline_stream_lag_seconds",
            "From the recording of an event to its arrival at this replica's streams",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
