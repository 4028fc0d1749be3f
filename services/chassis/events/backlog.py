"""How far the groups of a log are behind: the log tells, so that a dead consumer shows, too."""

import asyncio

import structlog
from prometheus_client import CollectorRegistry, Gauge

from ..stores import Pool

INTERVAL = 5.0
"""Seconds between two looks: one index row a group and partition each."""
log = structlog.get_logger()


class Backlog:
    """The gauges of one database's log."""

    def __init__(self, pool: Pool, registry: CollectorRegistry) -> None:
        self._pool = pool
        self._age = Gauge(
            "aviary_events_backlog_age_seconds",
            "Age of the oldest event that a group has not acknowledged; 0 when it has all",
            ["group"],
            registry=registry,
        )
        self._failed = Gauge(
            "aviary_events_failed",
            "Events set aside by a group: to be retried, or dead letters",
            ["group", "state"],
            registry=registry,
        )

    async def watch(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:
                log.warning("backlogs not known", why=str(error))
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Set the gauges."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT g.group_name,
                       coalesce(extract(epoch FROM now() - min(b.create_time)), 0)::float8,
                       (SELECT count(*) FROM event_failures f
                         WHERE f.group_name = g.group_name AND NOT dead),
                       (SELECT count(*) FROM event_failures f
                         WHERE f.group_name = g.group_name AND dead)
                FROM event_cursors g
                LEFT JOIN LATERAL (
                  SELECT create_time FROM events e
                  WHERE e.partition = g.partition AND (e.xid, e.seq) > (g.xid, g.seq)
                  ORDER BY e.xid, e.seq LIMIT 1) b ON true
                GROUP BY g.group_name
                """
            )
            for group, age, retries, dead in await cursor.fetchall():
                self._age.labels(group=group).set(age)
                self._failed.labels(group=group, state="retry").set(retries)
                self._failed.labels(group=group, state="dead").set(dead)
