"""Two hops cost the same however many follow: what the statements read, by EXPLAIN (S001-45)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.chassis.config import Settings
from services.graph.domain_suggestions import MAX_RANKED
from services.graph.store.suggestions import EXPLAIN, MAX_ASKED, MAX_EACH, RANK

from .world import World

DEGREE = 200
USERS = 20_000
ME, GREEDY, HEAVY, STAR = 1, 2, 3, 4
FRIENDS, OTHERS = 1_000, 5_000
"""The ids from which ME's and GREEDY's followees begin, and those of whom these follow."""
ADD = "INSERT INTO follows (user_id, target_user_id, follow_id) SELECT "
ROWS = (
    "INSERT INTO users (user_id, user_name, display_name, followers_count)"
    f" SELECT n, 'u' || n, '', CASE n WHEN {STAR} THEN {USERS} ELSE 100 END"
    f" FROM generate_series(1, {USERS}) n",
    # Degree 200: each of ME's 200 followees follows 200, another set each, and all follow STAR.
    f"{ADD} {ME}, {FRIENDS} + n, n FROM generate_series(1, {DEGREE}) n",
    f"{ADD} {FRIENDS} + n, {OTHERS} + mod(n * 7919 + k * 13, 14000), n * 1000 + k"
    f" FROM generate_series(1, {DEGREE}) n, generate_series(2, {DEGREE}) k",
    f"{ADD} n, {STAR}, n * 1000 FROM generate_series({FRIENDS}, {USERS}) n",
    # GREEDY follows 1,200, and the latest of these, HEAVY, follows 8,000.
    f"{ADD} {GREEDY}, {FRIENDS} + n, n FROM generate_series(1, 1200) n",
    f"{ADD} {GREEDY}, {HEAVY}, 1300",
    f"{ADD} {HEAVY}, {OTHERS} + n, n FROM generate_series(1, 8000) n",
    "VACUUM ANALYZE users, follows",
)


@pytest.fixture
async def crowd(world: World, settings: Settings) -> World:
    async with await psycopg.AsyncConnection.connect(
        settings.graph_dsn, autocommit=True
    ) as connection:
        for statement in ROWS:
            await connection.execute(statement.encode())
    return world


async def scans(world: World, statement: str, **values: object) -> list[dict[str, Any]]:
    """The nodes of a statement's plan that read tables, as it was carried out."""
    async with world.pool.connection() as connection:
        rows = await connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT json) {statement}".encode(), values
        )
        row = await rows.fetchone()
    assert row is not None
    return [node for node in nodes_of(row[0][0]["Plan"]) if "Relation Name" in node]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes_of(each)


def rows_read(nodes: list[dict[str, Any]]) -> Counter[str]:
    """By table, how many rows were read, those included that were read in vain."""
    read: Counter[str] = Counter()
    for node in nodes:
        removed = sum(count for name, count in node.items() if name.startswith("Rows Removed"))
        read[node["Relation Name"]] += round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return read


async def test_ranking_reads_the_lists_of_ones_followees_once(crowd: World) -> None:
    read = rows_read(await scans(crowd, RANK, user_id=ME))
    hops = DEGREE * DEGREE
    assert hops <= read["follows"] <= hops + 3 * DEGREE
    assert read["users"] <= USERS + 400
    ranked = await crowd.graph._suggestions.rank(ME)
    assert ranked[0] == STAR
    assert len(ranked) == MAX_RANKED


async def test_long_lists_are_cut(crowd: World) -> None:
    nodes = await scans(crowd, RANK, user_id=GREEDY)
    (hop,) = [node for node in nodes if node["Actual Loops"] == MAX_ASKED]
    assert hop["Index Name"] == "follows_pkey"
    assert rows_read(nodes)["follows"] <= MAX_ASKED + MAX_EACH + 3 * 1_201
    assert rows_read([hop])["follows"] == MAX_EACH + MAX_ASKED


async def test_explaining_never_reads_a_stars_followers(crowd: World) -> None:
    for user_id in (ME, GREEDY):
        candidate_ids = (await crowd.graph._suggestions.rank(user_id))[:20]
        assert STAR in candidate_ids
        nodes = await scans(crowd, EXPLAIN, user_id=user_id, candidate_ids=candidate_ids)
        assert rows_read(nodes)["follows"] <= 2 * 1_201 + len(candidate_ids) * MAX_ASKED
