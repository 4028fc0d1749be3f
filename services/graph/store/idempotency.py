"""What was answered under an idempotency key, kept for a day."""

from typing import NamedTuple

from services.chassis.stores import Connection, Pool

KEPT = "interval '24 hours'"


class Answered(NamedTuple):
    """A mutation that was done under a key, and its answer."""

    caller_id: int
    request_id: str
    fingerprint: bytes
    secret_hash: str
    response: bytes


async def find(pool: Pool, caller_id: int, request_id: str) -> Answered | None:
    """What was answered to a caller under this key."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            "SELECT caller_id, request_id, fingerprint, secret_hash, response"  # noqa: S608 - names from this code
            " FROM idempotency_keys"
            f" WHERE caller_id = %s AND request_id = %s AND create_time > now() - {KEPT}",
            (caller_id, request_id),
        )
        row = await rows.fetchone()
        return Answered(*row) if row else None


async def record(connection: Connection, answer: Answered) -> bool:
    """Record an answer in the mutation's transaction; False when the key has one already.

    Waits for another transaction that is recording under the same key.
    """
    rows = await connection.execute(
        f"""
        INSERT INTO idempotency_keys AS k
          (caller_id, request_id, fingerprint, secret_hash, response)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (caller_id, request_id) DO UPDATE
        SET fingerprint = excluded.fingerprint, secret_hash = excluded.secret_hash,
            response = excluded.response, create_time = now()
        WHERE k.create_time <= now() - {KEPT}
        """,  # noqa: S608 - names from this code
        answer,
    )
    return rows.rowcount == 1
