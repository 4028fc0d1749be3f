"""Partitions by month: made ahead, used by every query, and an older database is taken over."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg

from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis import stores
from services.chassis.snowflake import id_at
from services.tweet import main
from services.tweet.store.partitions import MONTHS_AHEAD, make_ahead

from .harness import ALICE, Tweets, running, settings

NAMES = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'tweets'::regclass ORDER BY 1
"""
INSERT = """
INSERT INTO tweets (tweet_id, author_id, status, entities, in_reply_to_tweet_id,
  in_reply_to_user_id, quote_tweet_id, quote_user_id, conversation_id, flags)
VALUES (%s, %s, 'inserted', '', %s, %s, 0, 0, %s, %s)
"""


async def test_months_are_made_ahead_once(fresh: Tweets) -> None:
    first = await fresh.sql(NAMES)
    assert len(first) == 1 + MONTHS_AHEAD
    async with stores.open_pool(fresh.dsn, size=2, name="partitions") as pool:
        now = datetime.now(UTC)
        until = await make_ahead(pool, now)
        assert await fresh.sql(NAMES) == first
        later = now.replace(year=now.year + 1, day=1)
        assert (await make_ahead(pool, later) - until).days in (365, 366)
    assert len(await fresh.sql(NAMES)) == 13 + MONTHS_AHEAD
    made = await fresh.create(status="in its month")
    assert (await fresh.get(made.tweet_id)).status == "in its month"


async def test_the_past_and_the_months_are_one_list(fresh: Tweets) -> None:
    batch = [pb.IngestTweet(user_id=ALICE, status=f"{year}") for year in (2024, 2025)]
    for tweet, year in zip(batch, (2024, 2025), strict=True):
        tweet.create_time.FromDatetime(datetime(year, 5, 1, tzinfo=UTC))
    (past,) = await fresh.ingest(pb.IngestTweetsRequest(tweets=batch))
    present = (await fresh.create(status="now")).tweet_id
    ahead = id_at(int(datetime.now(UTC).timestamp() * 1000) + 40 * 86_400_000)
    await fresh.sql(INSERT, ahead, ALICE, 0, 0, ahead, 0)
    page = await fresh.page(user_id=ALICE)
    assert [t.tweet_id for t in page.tweets] == [ahead, present, past[1], past[0]]
    assert await fresh.sql("SELECT count(DISTINCT tableoid) FROM tweets") == [(2,)]


async def test_lists_look_only_where_they_must(fresh: Tweets) -> None:
    """An ordered list is read partition by partition from the newest on, not merged from all."""
    await fresh.create(status="x")
    rows = await fresh.sql(
        "EXPLAIN SELECT tweet_id FROM tweets WHERE author_id = 1 AND tweet_id < 9e18::bigint"
        " ORDER BY tweet_id DESC LIMIT 20"
    )
    plan = "\n".join(row[0] for row in rows)
    assert "Append" in plan
    assert "Merge Append" not in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


async def test_a_database_from_before_is_taken_over(
    dsn: str, redis_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tweet" / "migrations"
    folder.mkdir(parents=True)
    for path in sorted((Path(main.__file__).parent / "migrations").glob("*.sql")):
        if path.name < "003":
            (folder / path.name).write_text(path.read_text())
    await stores.migrate(dsn, folder)
    old = id_at(int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000))
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(INSERT, (old, ALICE, 0, 0, old, 0))
        await connection.execute(INSERT, (old + 1, ALICE, old, ALICE, old, 1))
    async with running(settings(tmp_path / "home", dsn, redis_url)) as tweets:
        found = await tweets.get(old)
        assert (found.status, found.reply_count) == ("inserted", 1)
        assert [t.tweet_id for t in (await tweets.page(user_id=ALICE)).tweets] == [old + 1, old]
        await tweets.delete(old + 1)
        assert (await tweets.get(old)).reply_count == 0
