"""What applications used of their quotas in the running minute, shared by all replicas."""

from datetime import datetime
from typing import NamedTuple

from services.chassis.stores import Pool

WINDOW_SECONDS = 60
_BEGIN = """
INSERT INTO quota_uses (dev_key_id, quota, used, end_time) VALUES (%b, %b, 0, '-infinity')
ON CONFLICT DO NOTHING
"""
_HOLD = """
SELECT CASE WHEN end_time > now() THEN used ELSE 0 END FROM quota_uses
WHERE dev_key_id = %b AND quota = %b FOR UPDATE
"""
_USE = """
UPDATE quota_uses SET used = %(used)s, end_time = CASE WHEN end_time > now() THEN end_time
  ELSE now() + %(window)s * interval '1 second' END
WHERE dev_key_id = %(dev_key)s AND quota = %(quota)s RETURNING end_time
"""


class Used(NamedTuple):
    """How much was granted just now, is used in the running window, and when that ends."""

    granted: int
    used: int
    end_time: datetime


class PostgresQuotaUses:
    """The table `quota_uses`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def use(self, dev_key_id: int, quota: str, count: int, limit: int) -> Used:
        """Use so much of a quota, or what is left of it."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_BEGIN, (dev_key_id, quota))
            row = await (await connection.execute(_HOLD, (dev_key_id, quota))).fetchone()
            before: int = row[0] if row else 0
            used = max(before, min(before + count, limit))
            cursor = await connection.execute(
                _USE,
                {"dev_key": dev_key_id, "quota": quota, "used": used, "window": WINDOW_SECONDS},
            )
            [(end_time,)] = await cursor.fetchall()
            return Used(used - before, used, end_time)

    async def of(self, dev_key_id: int) -> dict[str, Used]:
        """What is used in the running windows, by quota."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT quota, used, end_time FROM quota_uses"
                " WHERE dev_key_id = %b AND end_time > now()",
                (dev_key_id,),
            )
            return {row[0]: Used(0, row[1], row[2]) for row in await cursor.fetchall()}
