"""PostgreSQL with two standbys, and Redis with Sentinels: what is lost and what is not."""

import asyncio
from pathlib import Path

import psycopg
from redis.exceptions import RedisError

from services.chassis.config import Settings
from services.chassis.stores import Redis, open_redis
from services.local.mesh import Mesh, running
from services.local.postgres_cluster import PostgresCluster


def cluster_of(mesh: Mesh) -> PostgresCluster:
    assert mesh.postgres
    return mesh.postgres


async def ask(dsn: str, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        found = await connection.execute(statement.encode())
        return await found.fetchall() if found.description else []


async def until(dsn: str, statement: str, expected: object) -> None:
    """Ask until the answer is that one; whatever else happens meanwhile."""
    found: object = None
    try:
        async with asyncio.timeout(30):
            while found != expected:
                try:
                    found = [row[0] for row in await ask(dsn, statement)]
                except psycopg.Error as error:
                    found = error
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{statement}: {found!r} instead of {expected!r}") from None


SYNC = "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'"


async def test_every_answered_commit_outlives_two_primaries(home: Path) -> None:
    settings = Settings(home=home, local_zones=3)
    async with running(settings, services=()) as mesh:
        cluster, dsn = cluster_of(mesh), mesh.dsn("tweet")
        await ask(dsn, "CREATE TABLE kept (n int)")
        for number, victim in enumerate(("postgres", "postgres.2")):
            assert cluster.primary.replica.name == victim
            await ask(dsn, f"INSERT INTO kept VALUES ({number})")
            mesh.kill(victim)
            await until(dsn, "SELECT count(*) FROM kept", [number + 1])
            await ask(dsn, "UPDATE kept SET n = n")  # waits for a standby of the new primary
            await mesh.until_healthy(victim, restarts=1)
            assert cluster.promotions == number + 1
            demoted = next(node for node in cluster.nodes if node.replica.name == victim)
            recovering = await ask(demoted.server.dsn("tweet"), "SELECT pg_is_in_recovery()")
            assert recovering == [(True,)]
            await until(dsn, "SELECT count(*) FROM pg_stat_replication", [2])
    # One server alone starts from the data that were written last.
    async with running(Settings(home=home), services=()) as mesh:
        assert await ask(mesh.dsn("tweet"), "SELECT count(*) FROM kept") == [(2,)]


async def test_without_one_standby_writes_go_on_and_nobody_is_promoted(home: Path) -> None:
    async with running(Settings(home=home, local_zones=3), services=()) as mesh:
        cluster, dsn = cluster_of(mesh), mesh.dsn("tweet")
        await until(dsn, SYNC, ["postgres_2"])
        await mesh.stop("postgres.2")
        await ask(dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        await until(dsn, SYNC, ["postgres_3"])
        mesh.kill("postgres")
        await mesh.until_healthy("postgres", restarts=1)
        assert cluster.promotions == 0
        assert cluster.primary.replica.name == "postgres"
        await until(dsn, "SELECT n FROM kept", [7])


async def test_a_dead_redis_is_replaced(home: Path) -> None:
    hold = home / "run/hold/redis"
    async with running(Settings(home=home, local_redis="sentinel"), services=()) as mesh:
        hold.parent.mkdir()
        hold.touch()
        async with open_redis(mesh.redis_url) as client:
            await client.set("before", "1")
            before = str((await client.info("server"))["run_id"])
            mesh.kill("redis")
            async with asyncio.timeout(20):
                while not await written(client):
                    await asyncio.sleep(0.05)
            assert str((await client.info("server"))["run_id"]) != before
        hold.unlink()
        await mesh.until_healthy("redis", restarts=1)


async def written(client: Redis) -> bool:
    try:
        return bool(await client.set("after", "1"))
    except RedisError:
        return False
