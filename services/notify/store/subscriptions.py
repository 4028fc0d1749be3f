"""Push subscriptions in PostgreSQL; their keys never leave the service."""

from datetime import datetime
from typing import NamedTuple

from services.chassis.stores import Pool

from ..errors import PushSubscriptionLimitError

MAX_SUBSCRIPTIONS = 20


class Device(NamedTuple):
    """A subscription as its user sees it."""

    subscription_id: int
    user_id: int
    endpoint: str
    device_name: str
    last_delivery_time: datetime | None


class Keys(NamedTuple):
    """What is encrypted for."""

    p256dh: bytes
    secret: bytes


class SubscriptionStore:
    """The table. Every method raises psycopg's errors."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(
        self, subscription_id: int, user_id: int, endpoint: str, keys: Keys, device_name: str
    ) -> int:
        """Keep a subscription; its id, an earlier one's where the endpoint is known."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (user_id,))
            cursor = await connection.execute(
                "SELECT count(*) FROM push_subscriptions WHERE user_id = %s AND endpoint <> %s",
                (user_id, endpoint),
            )
            row = await cursor.fetchone()
            if row and row[0] >= MAX_SUBSCRIPTIONS:
                raise PushSubscriptionLimitError(maximum=MAX_SUBSCRIPTIONS)
            cursor = await connection.execute(
                "INSERT INTO push_subscriptions"
                " (subscription_id, user_id, endpoint, p256dh_key, auth_secret, device_name)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (user_id, endpoint) DO UPDATE"
                " SET p256dh_key = excluded.p256dh_key, auth_secret = excluded.auth_secret,"
                " device_name = excluded.device_name RETURNING subscription_id",
                (subscription_id, user_id, endpoint, keys.p256dh, keys.secret, device_name),
            )
            kept = await cursor.fetchone()
            assert kept is not None
            return int(kept[0])

    async def page(self, user_id: int, before: int, limit: int) -> list[Device]:
        """A user's subscriptions, newest first, below an id."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT subscription_id, user_id, endpoint, device_name, last_delivery_time"
                " FROM push_subscriptions WHERE user_id = %s AND subscription_id < %s"
                " ORDER BY subscription_id DESC LIMIT %s",
                (user_id, before, limit),
            )
            return [Device(*row) for row in await cursor.fetchall()]

    async def of_user(self, user_id: int) -> list[tuple[int, int, str, bytes, bytes]]:
        """A user's subscriptions with their keys, as the sender takes them."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT subscription_id, user_id, endpoint, p256dh_key, auth_secret"
                " FROM push_subscriptions WHERE user_id = %s",
                (user_id,),
            )
            return [tuple(row) for row in await cursor.fetchall()]

    async def delete(self, user_id: int, subscription_id: int) -> bool:
        """Forget a subscription; whether there was one."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "DELETE FROM push_subscriptions WHERE user_id = %s AND subscription_id = %s",
                (user_id, subscription_id),
            )
            return bool(cursor.rowcount)

    async def delivered(self, subscription_id: int) -> None:
        """Note that something was delivered."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE push_subscriptions SET last_delivery_time = now()"
                " WHERE subscription_id = %s",
                (subscription_id,),
            )
