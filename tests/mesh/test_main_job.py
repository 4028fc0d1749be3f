"""The main job on a real graph: import, post, and read every home timeline, whatever breaks."""

import asyncio
import random
import time

import pytest
import redis.asyncio as redis

from services.chassis.snowflake import Snowflakes
from services.chassis.stores import Connection

from .command_line import aviary
from .graphs import REAL, edge_file
from .world import World
from .writers import insert

SECONDS_TO_DELIVER = 5.0


@pytest.fixture(scope="module")
async def people(world: World, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """The graph's users, imported by the command line, twice."""
    file = edge_file(tmp_path_factory.mktemp("graph"))
    command = ("import", "--undirected", "--edges", str(file))
    started = time.monotonic()
    first = await asyncio.to_thread(aviary, world.mesh, *command)
    assert first.returncode == 0, first.stderr
    assert time.monotonic() - started < 60
    before = await counts(world)
    second = await asyncio.to_thread(aviary, world.mesh, *command)
    assert "(0 new)" in second.stdout, second.stdout + second.stderr
    assert await counts(world) == before
    rows = await world.sql("graph", r"SELECT user_id FROM users WHERE user_name ~ '^u\d+$'")
    return [row[0] for row in rows]


async def counts(world: World) -> tuple[int, int]:
    """Users and follows."""
    (users,) = await world.sql("graph", "SELECT count(*) FROM users")
    (follows,) = await world.sql("graph", "SELECT count(*) FROM follows")
    return users[0], follows[0]


async def settle(world: World, people: list[int]) -> None:
    """All home timelines equal the truth, within the promised time of the last answer."""
    until = time.monotonic() + SECONDS_TO_DELIVER
    truth = await world.truth(people)
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    homes = await world.homes(people)
    wrong = [user_id for user_id in people if homes[user_id] != truth[user_id]]
    assert wrong == [], f"{len(wrong)} of {len(people)} differ"


@pytest.mark.skipif(not REAL.exists(), reason="the real graph is not at hand")
async def test_real_graph_is_whole(world: World, people: list[int]) -> None:
    assert len(people) == 962
    rows = await world.sql(
        "graph",
        r"SELECT count(*) FROM follows f JOIN users u USING (user_id) WHERE u.user_name ~ '^u\d+$'",
    )
    assert rows == [(37_624,)]
    ((followers, following, follows),) = await world.sql(
        "graph",
        "SELECT sum(followers_count), sum(following_count), (SELECT count(*) FROM follows)"
        " FROM users",
    )
    assert followers == following == follows


async def test_every_home_timeline_equals_the_truth(world: World, people: list[int]) -> None:
    await world.homes(people)  # everybody is active, so deliveries are pushed
    await world.post_all(people, "one")
    await settle(world, people)


async def test_also_when_the_worker_is_killed(world: World, people: list[int]) -> None:
    posting = asyncio.create_task(world.post_all(people, "two"))
    for number in range(3):
        await asyncio.sleep(0.6)
        assert number or not posting.done(), "the first kill must come in the middle"
        restarts = world.mesh.restarts("fanout")
        world.mesh.kill("fanout")
        await world.mesh.until_healthy("fanout", restarts=restarts + 1)
    await posting
    assert world.mesh.restarts("fanout") >= 3
    await settle(world, people)


async def test_also_when_redis_is_emptied(world: World, people: list[int]) -> None:
    posting = asyncio.create_task(world.post_all(people, "three"))
    client = redis.Redis.from_url(world.mesh.redis_url)
    emptied = 0
    for number in range(4):
        await asyncio.sleep(0.4)
        assert number or not posting.done(), "Redis must be emptied in the middle"
        emptied += await client.dbsize()
        await client.flushall()
        await world.homes(people[:40])  # some rebuild while others still post
    await posting
    await client.aclose()
    assert emptied > 0
    await settle(world, people)


async def test_also_when_commits_are_delayed(world: World, people: list[int]) -> None:
    """32 writers hold their transactions open for a random time before they commit."""
    dice = random.Random(3)

    async def write(number: int) -> None:
        # Worker numbers that no service leases, so that these ids cannot clash with theirs.
        ids = Snowflakes(900 + number, after_ms=0)
        dsn = world.mesh.dsn("tweet")
        async with await Connection.connect(dsn) as connection:
            for round_number in range(4):
                author = people[(number * 4 + round_number) % len(people)]
                await insert(connection, ids.next(), author, f"delayed {number} {round_number}")
                await asyncio.sleep(dice.uniform(0, 0.25))
                await connection.commit()

    before = await world.sql("tweet", "SELECT count(*) FROM tweets")
    await asyncio.gather(*(write(number) for number in range(32)))
    after = await world.sql("tweet", "SELECT count(*) FROM tweets")
    assert after[0][0] - before[0][0] == 32 * 4
    await settle(world, people)
