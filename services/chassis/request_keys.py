"""What was made under a request's key, remembered for a day.

A record is written in the transaction of what it speaks of, so that neither exists alone.
"""

from collections.abc import Sequence
from typing import Any

from .errors import IdempotencyMismatchError
from .stores import Connection, Pool

KEPT_HOURS = 24
PRUNE_ROWS = 5_000


class RequestKeys:
    """A table of records: the columns of a key, `request_id` the last, and what was made."""

    def __init__(self, table: str, key: Sequence[str], made: Sequence[str]) -> None:
        columns = [*key, "body_hash", *made]
        values = ", ".join(["%s"] * len(columns))
        where = " AND ".join(f"{column} = %s" for column in key)
        # The names are our own.
        self._insert = (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608
            " ON CONFLICT DO NOTHING"
        ).encode()
        self._select = f"SELECT body_hash, {', '.join(made)} FROM {table} WHERE {where}".encode()  # noqa: S608
        self._prune = (
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608
            f" SELECT ctid FROM {table} WHERE create_time < now() - %s * interval '1 hour'"
            " LIMIT %s FOR UPDATE SKIP LOCKED))"
        ).encode()

    async def claim(
        self, connection: Connection, key: Sequence[Any], body_hash: bytes, made: Sequence[Any]
    ) -> tuple[Any, ...] | None:
        """What was made under a key before; None where it stands for `made` from now on.

        Waits for whoever is claiming it. Raises IDEMPOTENCY_MISMATCH where the request was another.
        """
        cursor = await connection.execute(self._insert, (*key, body_hash, *made))
        if cursor.rowcount:
            return None
        cursor = await connection.execute(self._select, key)
        row = await cursor.fetchone()
        if row is None or row[0] != body_hash:
            raise IdempotencyMismatchError(request_id=key[-1])
        return tuple(row[1:])

    async def prune(self, pool: Pool) -> int:
        """Delete records older than a day, a bounded number of them; how many went."""
        async with pool.connection() as connection:
            cursor = await connection.execute(self._prune, (KEPT_HOURS, PRUNE_ROWS))
            return cursor.rowcount
