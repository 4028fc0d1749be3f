"""Failed logins of the running minute, shared by all replicas."""

from collections.abc import Mapping

from services.chassis.stores import Pool

from ..domain import LOGIN_WINDOW_SECONDS


class PostgresLoginFailures:
    """The table `login_failures`: a bucket counts from its first failure for a minute."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def blocked_for(self, limits: Mapping[bytes, int]) -> float:
        """Seconds until no bucket is at its limit any more; 0 when none is."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                """
                SELECT coalesce(max(extract(epoch FROM f.expire_time - now())), 0)::float8
                FROM unnest(%s::bytea[], %s::integer[]) AS l(bucket, maximum)
                JOIN login_failures f USING (bucket)
                WHERE f.expire_time > now() AND f.failures >= l.maximum
                """,
                (list(limits), list(limits.values())),
            )
            row = await rows.fetchone()
            return float(row[0]) if row else 0.0

    async def count(self, buckets: list[bytes]) -> None:
        """Count one failure in each bucket."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                INSERT INTO login_failures AS f (bucket, failures, expire_time)
                SELECT bucket, 1, now() + %(window)s * interval '1 second'
                FROM unnest(%(buckets)s::bytea[]) AS b(bucket)
                ON CONFLICT (bucket) DO UPDATE
                SET failures = CASE WHEN f.expire_time > now() THEN f.failures + 1 ELSE 1 END,
                    expire_time = CASE WHEN f.expire_time > now() THEN f.expire_time
                      ELSE excluded.expire_time END
                """,
                # In one order everywhere, so that two logins cannot wait for each other.
                {"window": LOGIN_WINDOW_SECONDS, "buckets": sorted(buckets)},
            )

    async def forget(self, bucket: bytes) -> None:
        """Forget the failures of a bucket: the password was known after all."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM login_failures WHERE bucket = %s", (bucket,))
