"""Events that a group could not handle: set aside, retried with back-off, then dead letters."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ..stores import Pool
from .log import LoggedEvent

MAX_ATTEMPTS = 6
FIRST_BACKOFF, LAST_BACKOFF = 0.5, 60.0
"""Seconds: each attempt waits four times as long as the one before."""
HANDED_OUT_SECONDS = 30.0
"""How long a retried event is not handed out again while nothing is heard of it."""
MAX_ERROR = 2000


class DeadLetterRow(NamedTuple):
    """An event that has used up its attempts."""

    event: LoggedEvent
    group: str
    error: str
    park_time: datetime


class Failures:
    """The failed events of one database's groups."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put_aside(
        self, group: str, failed: Sequence[tuple[int, int, str]]
    ) -> tuple[int, int]:
        """Record failures (event id, partition, error); how many come again, how many are dead."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                INSERT INTO event_failures AS f (group_name, event_id, partition, kind, payload,
                  create_time, attempts, error, due_time, traceparent)
                SELECT %(group)s, e.event_id, e.partition, e.kind, e.payload, e.create_time, 1,
                  n.error, now() + %(first)s * interval '1 second', e.traceparent
                FROM unnest(%(ids)s::bigint[], %(partitions)s::smallint[], %(errors)s::text[])
                  AS n(event_id, partition, error)
                JOIN events e ON e.partition = n.partition AND e.event_id = n.event_id
                ON CONFLICT (group_name, event_id) DO UPDATE
                SET attempts = f.attempts + 1, error = excluded.error,
                    dead = f.attempts + 1 >= %(max)s,
                    due_time = now() + least(%(first)s * 4 ^ f.attempts, %(last)s)
                      * interval '1 second'
                RETURNING dead
                """,
                {
                    "group": group,
                    "ids": [event_id for event_id, _, _ in failed],
                    "partitions": [partition for _, partition, _ in failed],
                    "errors": [error[:MAX_ERROR].replace("\0", "") for _, _, error in failed],
                    "first": FIRST_BACKOFF,
                    "last": LAST_BACKOFF,
                    "max": MAX_ATTEMPTS,
                },
            )
            dead = [row[0] for row in await rows.fetchall()]
            return dead.count(False), dead.count(True)

    async def due(self, group: str, partitions: Sequence[int], limit: int) -> list[LoggedEvent]:
        """Events whose back-off is over, handed out once in a while until they are done."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                UPDATE event_failures SET due_time = now() + %s * interval '1 second'
                WHERE (group_name, event_id) IN (
                  SELECT group_name, event_id FROM event_failures
                  WHERE group_name = %s AND partition = ANY(%s) AND NOT dead AND due_time <= now()
                  ORDER BY due_time LIMIT %s FOR UPDATE SKIP LOCKED)
                RETURNING partition, 0, 0, event_id, kind, payload, create_time,
                          greatest(attempts, 1), traceparent
                """,
                (HANDED_OUT_SECONDS, group, list(partitions), limit),
            )
            return [LoggedEvent(*row) for row in await rows.fetchall()]

    async def done(self, group: str, event_ids: Sequence[int]) -> None:
        """Forget events that were handled after all."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM event_failures WHERE group_name = %s AND event_id = ANY(%s)",
                (group, list(event_ids)),
            )

    async def dead_letters(self, group: str, after: int, limit: int) -> list[DeadLetterRow]:
        """Dead letters of a group behind an event id, oldest first."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                SELECT partition, 0, 0, event_id, kind, payload, create_time, attempts,
                       traceparent, group_name, error, due_time
                FROM event_failures WHERE group_name = %s AND dead AND event_id > %s
                ORDER BY event_id LIMIT %s
                """,
                (group, after, limit),
            )
            return [DeadLetterRow(LoggedEvent(*row[:9]), *row[9:]) for row in await rows.fetchall()]

    async def redrive(self, group: str, event_ids: Sequence[int]) -> int:
        """Deliver dead letters again (all when none is named); how many."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                UPDATE event_failures SET dead = false, attempts = 0, due_time = now()
                WHERE group_name = %s AND dead AND (%s OR event_id = ANY(%s))
                """,
                (group, not event_ids, list(event_ids)),
            )
            return rows.rowcount
