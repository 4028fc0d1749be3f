"""Rows by the hundred thousand, each like one that the product itself has stored."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from psycopg import sql

from services.chassis.stores import Connection


@contextlib.asynccontextmanager
async def bulk(dsn: str) -> AsyncIterator[Connection]:
    """A connection for loading."""
    async with await Connection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SET maintenance_work_mem = '256MB'")
        await connection.execute("SET work_mem = '256MB'")
        yield connection


async def staged(
    connection: Connection, name: str, columns: str, rows: Iterable[tuple[object, ...]]
) -> None:
    """Copy rows into a new temporary table."""
    await connection.execute(f"CREATE TEMPORARY TABLE {name} ({columns})".encode())
    async with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy,
    ):
        for row in rows:
            await copy.write_row(row)
    await connection.execute(f"ANALYZE {name}".encode())


async def cloned(
    connection: Connection, table: str, source: str, values: Mapping[str, str]
) -> None:
    """Insert a row for each row `n` of `source`, like the table's one row but for these values.

    So what a migration adds is there as the product would have filled it. Indexes are left out
    while it runs.
    """
    names = await _columns(connection, table)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    chosen = ", ".join(values.get(name, f't."{name}"') for name in names)
    statement = f"SELECT {chosen} FROM {source} n CROSS JOIN (SELECT * FROM {table} LIMIT 1) t"
    async with _without_indexes(connection, table):
        await connection.execute(
            sql.SQL("INSERT INTO {} ({}) {} ON CONFLICT DO NOTHING").format(
                sql.Identifier(table),
                columns,
                sql.SQL(statement),
            )
        )
    await connection.execute(f"ANALYZE {table}".encode())


async def piped(source: Connection, query: str, target: Connection, table: str) -> None:
    """Copy what a query finds in one database into a table of another."""
    async with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as found,
        writing.copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy,
    ):
        async for block in found:
            await copy.write(block)


async def _columns(connection: Connection, table: str) -> list[str]:
    rows = await connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = 'public' AND is_generated = 'NEVER' AND is_identity = 'NO'"
        " ORDER BY ordinal_position",
        (table,),
    )
    return [row[0] for row in await rows.fetchall()]


@contextlib.asynccontextmanager
async def _without_indexes(connection: Connection, table: str) -> AsyncIterator[None]:
    """Without all indexes but the primary key's, which are made anew: faster than row by row.

    PostgreSQL gives the definition of a partitioned table's index with ONLY: made so, it would be
    in none of the partitions.
    """
    rows = await connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass AND NOT indisprimary",
        (table,),
    )
    indexes = await rows.fetchall()
    for name, _ in indexes:
        await connection.execute(f"DROP INDEX {name}".encode())
    yield
    for _, definition in indexes:
        await connection.execute(definition.replace(" ON ONLY ", " ON ", 1).encode())
