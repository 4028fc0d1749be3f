"""Rows loaded in bulk: the table that is measured is the product's own, with all its indexes."""

from services.chassis.stores import Connection

from .rows import bulk, cloned

INDEXES = "SELECT indrelid::regclass::text, regexp_replace(pg_get_indexdef(indexrelid), %s, '')"
NAME = "INDEX \\S+ "


async def indexes(connection: Connection) -> list[tuple[str, str]]:
    """Every index by table, whatever it is called."""
    query = f"{INDEXES} FROM pg_index WHERE indrelid::regclass::text LIKE 'things%%' ORDER BY 1, 2"
    rows = await connection.execute(query.encode(), (NAME,))
    return [(table, definition) for table, definition in await rows.fetchall()]


async def test_partitions_get_their_indexes_back(dsn: str) -> None:
    async with bulk(dsn) as connection:
        for statement in (
            "CREATE TABLE things (id bigint PRIMARY KEY, part int) PARTITION BY RANGE (id)",
            "CREATE TABLE things_1 PARTITION OF things FOR VALUES FROM (0) TO (100)",
            "CREATE TABLE things_2 PARTITION OF things FOR VALUES FROM (100) TO (200)",
            "CREATE INDEX by_part ON things (part) INCLUDE (id) WHERE part > 0",
            "INSERT INTO things VALUES (0, 5)",
            "CREATE TEMPORARY TABLE numbers AS SELECT generate_series(1, 150) AS id",
        ):
            await connection.execute(statement.encode())
        before = await indexes(connection)
        assert len(before) == 6
        await cloned(connection, "things", "numbers", {"id": "n.id"})
        assert await indexes(connection) == before
        (count,) = await (await connection.execute("SELECT count(*) FROM things")).fetchone() or ()
        assert count == 151
