"""How far groups are behind, as the log itself tells it."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from services.chassis import stores
from services.chassis.events.backlog import Backlog
from services.chassis.events.log import NewEvent, append


async def test_the_oldest_event_behind_a_cursor_counts(dsn: str) -> None:
    await stores.migrate(dsn, Path("/nonexistent"))
    registry = CollectorRegistry()

    def age(group: str) -> float | None:
        return registry.get_sample_value("aviary_events_backlog_age_seconds", {"group": group})

    def failed(state: str) -> float | None:
        labels = {"group": "slow", "state": state}
        return registry.get_sample_value("aviary_events_failed", labels)

    async with stores.open_pool(dsn, size=2, name="test") as pool:
        backlog = Backlog(pool, registry)
        async with pool.connection() as connection:
            await append(connection, [NewEvent(1, 1, "Test", b"")])
            await connection.execute(
                "UPDATE events SET create_time = now() - interval '90 seconds'"
            )
            await connection.execute(
                "INSERT INTO event_cursors (group_name, partition, xid, seq)"
                " SELECT 'slow', partition, '0'::xid8, 0 FROM events"
                " UNION SELECT 'done', partition, xid, seq FROM events"
            )
            await connection.execute(
                "INSERT INTO event_failures (group_name, event_id, partition, kind, payload,"
                " create_time, attempts, error, due_time, dead)"
                " SELECT 'slow', event_id, partition, kind, payload, create_time, 6, 'no',"
                " now(), true FROM events"
            )
        await backlog.look()
    assert age("done") == 0
    slow = age("slow")
    assert slow is not None
    assert 90 <= slow < 600
    assert (failed("dead"), failed("retry")) == (1, 0)
