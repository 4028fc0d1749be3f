"""The queue of deliveries: claimed by lease with SKIP LOCKED, tried again, given up, replayed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from services.chassis.stores import Pool

from ..domain_inbox import Kind
from ..domain_preferences import Channel

WAITING, SENT, DEAD, DROPPED = range(4)
LEASE_SECONDS = 60.0
"""Far longer than an attempt takes; what is not settled by then is tried again."""
KEPT_DAYS = 30


class Claimed(NamedTuple):
    """A delivery that this process is to make now."""

    delivery_id: int
    user_id: int
    kind: Kind
    object_id: int
    notification_id: int
    attempts: int
    repeated: bool
    """Whether an attempt was begun before and nobody knows how it ended."""
    reached: Sequence[int]
    """Subscriptions that have it from an attempt that failed for others."""


class Queue(NamedTuple):
    """The state of one channel."""

    channel: Channel
    paused: bool
    waiting: int
    dead: int
    oldest_due: datetime | None


class Dead(NamedTuple):
    """A delivery that was given up."""

    delivery_id: int
    user_id: int
    attempts: int
    last_error: str
    create_time: datetime


class DeliveryStore:
    """The table. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, channel: Channel, limit: int) -> list[Claimed]:
        """Lease what is due; of whoever has something due, all that is."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                WITH due AS (
                  SELECT delivery_id FROM deliveries
                  WHERE channel = %(channel)s AND state = 0 AND due_time <= now()
                    AND (leased_until IS NULL OR leased_until < now())
                    AND NOT EXISTS (SELECT FROM paused_channels p WHERE p.channel = %(channel)s)
                  ORDER BY due_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
                UPDATE deliveries d
                SET attempts = d.attempts + 1, leased_until = now() + %(lease)s * interval '1 s'
                FROM (SELECT delivery_id, leased_until IS NOT NULL AS repeated
                      FROM deliveries JOIN due USING (delivery_id)) was
                WHERE d.delivery_id = was.delivery_id
                RETURNING d.delivery_id, d.user_id, d.kind, d.object_id, d.notification_id,
                  d.attempts, was.repeated, d.reached
                """,
                {"channel": channel.value, "limit": limit, "lease": LEASE_SECONDS},
            )
            rows = await cursor.fetchall()
        return [Claimed(row[0], row[1], Kind(row[2]), *row[3:]) for row in sorted(rows)]

    async def settle(
        self,
        delivery_ids: Collection[int],
        state: int,
        why: str = "",
        reached: Sequence[int] = (),
    ) -> None:
        """Note how deliveries ended."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE deliveries SET state = %s, leased_until = NULL, last_error = %s,"
                " reached = reached || %s::bigint[] WHERE delivery_id = ANY(%s) AND state = 0",
                (state, why, list(reached), list(delivery_ids)),
            )

    async def postpone(
        self,
        delivery_ids: Collection[int],
        seconds: float,
        why: str,
        reached: Sequence[int] = (),
    ) -> None:
        """Try deliveries again later."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE deliveries SET leased_until = NULL, last_error = %s,"
                " due_time = now() + %s * interval '1 s', reached = reached || %s::bigint[]"
                " WHERE delivery_id = ANY(%s) AND state = 0",
                (why, seconds, list(reached), list(delivery_ids)),
            )

    async def queues(self) -> list[Queue]:
        """The state of every channel."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT c, EXISTS (SELECT FROM paused_channels WHERE channel = c),"
                " (SELECT count(*) FROM deliveries WHERE channel = c AND state = 0),"
                " (SELECT count(*) FROM deliveries WHERE channel = c AND state = 2),"
                " (SELECT min(due_time) FROM deliveries"
                "  WHERE channel = c AND state = 0 AND due_time <= now())"
                " FROM unnest(%s::smallint[]) c",
                ([Channel.PUSH.value, Channel.EMAIL.value],),
            )
            return [Queue(Channel(row[0]), *row[1:]) for row in await cursor.fetchall()]

    async def pause(self, channel: Channel, *, paused: bool) -> None:
        """Pause a channel, or let it go on."""
        statement = (
            "INSERT INTO paused_channels (channel) VALUES (%s) ON CONFLICT DO NOTHING"
            if paused
            else "DELETE FROM paused_channels WHERE channel = %s"
        )
        async with self._pool.connection() as connection:
            await connection.execute(statement.encode(), (channel.value,))

    async def dead(self, channel: Channel, before: int, limit: int) -> list[Dead]:
        """Deliveries that were given up, newest first, below an id."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT delivery_id, user_id, attempts, last_error, create_time FROM deliveries"
                " WHERE channel = %s AND state = 2 AND delivery_id < %s"
                " ORDER BY delivery_id DESC LIMIT %s",
                (channel.value, before, limit),
            )
            return [Dead(*row) for row in await cursor.fetchall()]

    async def replay(self, channel: Channel, delivery_ids: Sequence[int]) -> int:
        """Queue given-up deliveries again, all or those named; how many."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE deliveries SET state = 0, attempts = 0, due_time = now(),"
                " leased_until = NULL WHERE channel = %s AND state = 2"
                " AND (%s OR delivery_id = ANY(%s))",
                (channel.value, not delivery_ids, list(delivery_ids)),
            )
            return cursor.rowcount

    async def forget_old(self) -> None:
        """Delete what ended long ago; what was given up stays."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM deliveries WHERE state IN (1, 3)"
                " AND create_time < now() - %s * interval '1 day'",
                (KEPT_DAYS,),
            )
