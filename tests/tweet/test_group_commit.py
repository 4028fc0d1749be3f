"""Group commit: all of a post or nothing of it, and nobody pays for a neighbour."""

import asyncio

import psycopg
import pytest

from .harness import ALICE, Refused, Tweets

POISON = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status = 'poison' THEN RAISE EXCEPTION 'poison'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON tweets FOR EACH ROW EXECUTE FUNCTION refuse();
"""
FAIL_EVENTS = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no events today'; END $$;
CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail();
"""
DIE_AT_EVENTS = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
CREATE TRIGGER die BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION die();
"""


async def _counts(tweets: Tweets) -> tuple[int, ...]:
    (row,) = await tweets.sql(
        "SELECT (SELECT count(*) FROM tweets), (SELECT count(*) FROM events),"
        " (SELECT count(*) FROM idempotency_keys)"
    )
    return row


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_poisonous_row_does_not_fail_its_neighbours(fresh: Tweets, keyed: bool) -> None:
    await fresh.sql(POISON)
    texts = [f"fine {n}" for n in range(20)] + ["poison"] + [f"fine {n}" for n in range(20, 40)]
    results = await asyncio.gather(
        *(fresh.create(status=t, key=f"k{n}" if keyed else "") for n, t in enumerate(texts)),
        return_exceptions=True,
    )
    failed = [result for result in results if isinstance(result, BaseException)]
    assert len(failed) == 1
    assert isinstance(failed[0], Refused)
    assert failed[0].reason == "INTERNAL"
    assert "poison" not in str(failed[0])
    assert await _counts(fresh) == (40, 40, 40 if keyed else 0)


@pytest.mark.parametrize(
    ("fault", "reason"), [(FAIL_EVENTS, "INTERNAL"), (DIE_AT_EVENTS, "UNAVAILABLE")]
)
async def test_an_aborted_transaction_leaves_nothing(
    fresh: Tweets, fault: str, reason: str
) -> None:
    await fresh.sql(fault)
    with pytest.raises(Refused) as refused:
        await fresh.create(status="hello", key="k")
    assert refused.value.reason == reason
    assert await _counts(fresh) == (0, 0, 0)
    name = "fail" if fault is FAIL_EVENTS else "die"
    await fresh.sql(f"DROP TRIGGER {name} ON events")
    made = await fresh.create(status="hello", key="k")
    assert await _counts(fresh) == (1, 1, 1)
    assert (await fresh.get(made.tweet_id)).status == "hello"


async def test_concurrent_posts_share_transactions(tweets: Tweets) -> None:
    await asyncio.gather(*(tweets.create(status=f"{n}") for n in range(100)))
    ((transactions, events),) = await tweets.sql("SELECT count(DISTINCT xid), count(*) FROM events")
    assert events == 100
    assert transactions < 20


async def test_commits_are_durable(tweets: Tweets) -> None:
    async with await psycopg.AsyncConnection.connect(tweets.dsn) as connection:
        for name in ("fsync", "synchronous_commit"):
            row = await (await connection.execute(f"SHOW {name}")).fetchone()
            assert row == ("on",)


async def test_a_cancelled_call_does_not_stop_its_batch(tweets: Tweets) -> None:
    calls = [asyncio.create_task(tweets.create(status=f"{n}")) for n in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls[3].cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert sum(not isinstance(result, BaseException) for result in results) == 9
    assert (await tweets.sql("SELECT count(*) FROM tweets"))[0][0] >= 9
    assert (await tweets.page(user_id=ALICE)).tweets
