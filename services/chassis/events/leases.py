"""Sharing the partitions of a group among its members, by leases that end by themselves."""

from typing import NamedTuple

from ..stores import Connection, Pool
from .log import PARTITIONS, Position

LEASE_SECONDS = 5.0
"""How long a silent member keeps its partitions: a killed one is replaced within this time."""


class Lease(NamedTuple):
    """A partition that a member holds: where its group stands, and after how many replays."""

    position: Position
    epoch: int


class Leases:
    """The leases of one database's groups."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def renew(self, group: str, member: str) -> dict[int, Lease]:
        """Extend this member's leases, take its share of free ones, give up what exceeds it."""
        async with self._pool.connection() as connection, connection.transaction():
            # One at a time per group, so that two members cannot both take the last free partition.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (group,))
            await self._enroll(connection, group, member)
            share = await self._share(connection, group)
            await self._extend(connection, group, member, share)
            await self._claim(connection, group, member, share)
            rows = await connection.execute(
                "SELECT partition, xid::text::bigint, seq, epoch FROM event_cursors"
                " WHERE group_name = %s AND member = %s ORDER BY partition",
                (group, member),
            )
            return {
                row[0]: Lease(Position(row[1], row[2]), row[3]) for row in await rows.fetchall()
            }

    async def release(self, group: str, member: str) -> None:
        """Leave the group at once, so that others need not wait for the leases to end."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "UPDATE event_cursors SET member = '', lease_until = now()"
                " WHERE group_name = %s AND member = %s",
                (group, member),
            )
            await connection.execute(
                "DELETE FROM event_members WHERE group_name = %s AND member = %s", (group, member)
            )

    async def holders(self, group: str, partitions: list[int]) -> dict[int, str]:
        """Who holds each of these partitions."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT partition, member FROM event_cursors"
                " WHERE group_name = %s AND partition = ANY(%s)",
                (group, partitions),
            )
            return dict(await rows.fetchall())

    async def _enroll(self, connection: Connection, group: str, member: str) -> None:
        await connection.execute(
            "INSERT INTO event_members (group_name, member, seen_until)"
            " VALUES (%s, %s, now() + %s * interval '1 second')"
            " ON CONFLICT (group_name, member) DO UPDATE SET seen_until = excluded.seen_until",
            (group, member, LEASE_SECONDS),
        )
        await connection.execute(
            "INSERT INTO event_cursors (group_name, partition)"
            " SELECT %s, generate_series(0, %s) ON CONFLICT DO NOTHING",
            (group, PARTITIONS - 1),
        )

    async def _share(self, connection: Connection, group: str) -> int:
        await connection.execute(
            "DELETE FROM event_members WHERE group_name = %s AND seen_until < now()", (group,)
        )
        rows = await connection.execute(
            "SELECT count(*) FROM event_members WHERE group_name = %s", (group,)
        )
        (members,) = await rows.fetchone() or (1,)
        return int(-(-PARTITIONS // members))

    async def _extend(self, connection: Connection, group: str, member: str, share: int) -> None:
        await connection.execute(
            """
            WITH mine AS (
              SELECT partition, row_number() OVER (ORDER BY partition) AS place
              FROM event_cursors WHERE group_name = %(group)s AND member = %(member)s)
            UPDATE event_cursors g
            SET member = CASE WHEN place <= %(share)s THEN g.member ELSE '' END,
                lease_until = CASE WHEN place <= %(share)s
                  THEN now() + %(seconds)s * interval '1 second' ELSE now() END
            FROM mine WHERE g.group_name = %(group)s AND g.partition = mine.partition
            """,
            {"group": group, "member": member, "share": share, "seconds": LEASE_SECONDS},
        )

    async def _claim(self, connection: Connection, group: str, member: str, share: int) -> None:
        await connection.execute(
            """
            WITH free AS (
              SELECT partition FROM event_cursors
              WHERE group_name = %(group)s AND lease_until <= now()
              ORDER BY partition
              LIMIT greatest(0, %(share)s - (
                SELECT count(*) FROM event_cursors
                WHERE group_name = %(group)s AND member = %(member)s AND lease_until > now())))
            UPDATE event_cursors g
            SET member = %(member)s, lease_until = now() + %(seconds)s * interval '1 second'
            FROM free WHERE g.group_name = %(group)s AND g.partition = free.partition
            """,
            {"group": group, "member": member, "share": share, "seconds": LEASE_SECONDS},
        )
