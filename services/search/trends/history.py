"""What was usual, and what operators took out, in PostgreSQL."""

from collections.abc import Collection, Iterable, Mapping

from services.chassis.stores import Pool

from ..domain_trends import DAYS, Kind, Term

KEPT_HOURS = 24 * (DAYS + 1)


class TrendHistory:
    """The tables. Every method raises psycopg's errors. Hours are whole hours since 1970."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def recorded_hours(self) -> set[int]:
        """The hours that were counted."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT hour FROM recorded_hours")
            return {row[0] for row in await cursor.fetchall()}

    async def volumes(self, terms: Collection[Term]) -> dict[Term, dict[int, int]]:
        """How many different users each term had, by hour; hours without it are left out."""
        found: dict[Term, dict[int, int]] = {term: {} for term in terms}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT h.kind, h.name, h.hour, h.volume"
                " FROM unnest(%s::smallint[], %s::text[]) AS asked(kind, name)"
                " JOIN trend_hours h ON h.kind = asked.kind AND h.name = asked.name",
                ([term.kind.value for term in terms], [term.key for term in terms]),
            )
            for kind, name, hour, volume in await cursor.fetchall():
                found[Term(Kind(kind), name)][hour] = volume
        return found

    async def record(self, hour: int, volumes: Mapping[Term, int]) -> None:
        """Keep the volumes of an hour, once; what is older than the baseline looks at goes."""
        rows = list(volumes.items())
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "INSERT INTO recorded_hours (hour) VALUES (%s) ON CONFLICT DO NOTHING", (hour,)
            )
            if not cursor.rowcount:
                return
            await connection.execute(
                "INSERT INTO trend_hours (hour, kind, name, volume)"
                " SELECT %s, kind, name, volume"
                " FROM unnest(%s::smallint[], %s::text[], %s::integer[]) AS t(kind, name, volume)"
                " ON CONFLICT DO NOTHING",
                (
                    hour,
                    [term.kind.value for term, _ in rows],
                    [term.key for term, _ in rows],
                    [volume for _, volume in rows],
                ),
            )
            for table in ("trend_hours", "recorded_hours"):
                statement = f"DELETE FROM {table} WHERE hour < %s"  # noqa: S608 - the names above
                await connection.execute(statement.encode(), (hour - KEPT_HOURS,))

    async def hidden(self) -> set[Term]:
        """What operators took out."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT kind, name FROM hidden_trends")
            return {Term(Kind(kind), name) for kind, name in await cursor.fetchall()}

    async def hide(self, terms: Iterable[Term], hidden: bool) -> None:
        """Take terms out, or let them in again."""
        statement = (
            "INSERT INTO hidden_trends (kind, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            if hidden
            else "DELETE FROM hidden_trends WHERE kind = %s AND name = %s"
        )
        async with self._pool.connection() as connection:
            for term in terms:
                await connection.execute(statement.encode(), (term.kind.value, term.key))
