"""Reading by id: the cache in front, SQL behind, and what deletes do to both."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis

from services.chassis.config import Settings
from services.chassis.snowflake import id_at
from services.chassis.stores import Redis
from services.tweet.store.cache import BARRED_SECONDS, MONTH_SECONDS, OLD_SECONDS, TweetCache
from services.tweet.store.deletions import DeletionStore
from services.tweet.store.reads import ReadStore

from .harness import ALICE, BOB, Refused, Tweets, running


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with redis.Redis.from_url(redis_url) as connected:
        yield connected


async def until_cached(client: Redis, tweet_id: int) -> bytes:
    for _ in range(200):
        if value := await client.get(f"tweet:{tweet_id}"):
            assert isinstance(value, bytes)
            return value
        await asyncio.sleep(0.005)
    raise AssertionError("not cached")


async def _missing(tweets: Tweets, tweet_id: int) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.get(tweet_id)
    assert refused.value.reason == "TWEET_NOT_FOUND"
    assert refused.value.metadata == {"tweet_id": str(tweet_id)}
    assert await tweets.batch_get([tweet_id]) == []


async def test_a_post_is_cached_for_a_month(tweets: Tweets, client: Redis) -> None:
    made = await tweets.create(status="cached")
    assert await until_cached(client, made.tweet_id) == made.SerializeToString()
    left = await client.ttl(f"tweet:{made.tweet_id}")
    assert MONTH_SECONDS - 60 < left <= MONTH_SECONDS


async def test_cached_bytes_are_answered_unread(tweets: Tweets, client: Redis) -> None:
    made = await tweets.create(status="truth")
    await until_cached(client, made.tweet_id)
    made.status = "from the cache"
    await client.set(f"tweet:{made.tweet_id}", made.SerializeToString())
    assert (await tweets.get(made.tweet_id)).status == "from the cache"


async def test_batches_keep_the_order_asked(tweets: Tweets, client: Redis) -> None:
    ids = [(await tweets.create(status=f"{n}")).tweet_id for n in range(10)]
    await until_cached(client, ids[-1])
    await client.delete(*(f"tweet:{tweet_id}" for tweet_id in ids[::2]))
    asked = [ids[7], 5, ids[2], ids[3], ids[7], ids[0], -1]
    answered = [tweet.tweet_id for tweet in await tweets.batch_get(asked)]
    assert answered == [ids[7], ids[2], ids[3], ids[0]]
    assert await tweets.batch_get([]) == []
    with pytest.raises(Refused) as refused:
        await tweets.batch_get(range(101))
    assert (refused.value.reason, refused.value.fields) == ("INVALID_ARGUMENT", ["tweet_ids"])


async def test_flushall_loses_nothing(tweets: Tweets, client: Redis) -> None:
    made = await tweets.create(status="kept #tag", location={"longitude": 1, "latitude": 2})
    raw = await until_cached(client, made.tweet_id)
    await client.flushall()
    assert (await tweets.get(made.tweet_id)).SerializeToString() == raw
    assert await until_cached(client, made.tweet_id) == raw


async def test_without_redis_everything_goes_on(
    config: Settings, redis_url: str, tmp_path: Path
) -> None:
    async with running(dataclasses.replace(config, redis_url=f"unix://{tmp_path}/none")) as tweets:
        made = await tweets.create(status="x")
        assert (await tweets.get(made.tweet_id)).status == "x"
        assert len(await tweets.batch_get([made.tweet_id])) == 1
        await tweets.delete(made.tweet_id)
        await _missing(tweets, made.tweet_id)


async def test_concurrent_misses_are_one_query(
    tweets: Tweets, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await tweets.create(status="x")
    await until_cached(client, made.tweet_id)
    await client.flushall()
    queries: list[list[int]] = []
    rows = ReadStore.rows

    async def counted(self: ReadStore, tweet_ids: Any) -> Any:
        queries.append(list(tweet_ids))
        return await rows(self, tweet_ids)

    monkeypatch.setattr(ReadStore, "rows", counted)
    await asyncio.gather(*(tweets.get(made.tweet_id) for _ in range(50)))
    assert queries == [[made.tweet_id]]


async def test_an_old_tweet_is_cached_briefly(tweets: Tweets, client: Redis) -> None:
    old = id_at(1_704_067_200_000 + 1000)
    made = await tweets.create(status="x")
    await tweets.sql(
        "INSERT INTO tweets (tweet_id, author_id, status, entities, in_reply_to_tweet_id,"
        " in_reply_to_user_id, quote_tweet_id, quote_user_id, conversation_id, flags)"
        f" VALUES ({old}, {made.user_id}, 'old', '', 0, 0, 0, 0, {old}, 0)"
    )
    assert (await tweets.get(old)).created_at == "Mon Jan 01 00:00:01 +0000 2024"
    await until_cached(client, old)
    assert 0 < await client.ttl(f"tweet:{old}") <= OLD_SECONDS


async def test_a_deleted_tweet_is_gone_at_once(tweets: Tweets, client: Redis) -> None:
    made = await tweets.create(
        status="x", in_reply_to_tweet_id=(await tweets.create(status="t")).tweet_id
    )
    await until_cached(client, made.tweet_id)
    await tweets.delete(made.tweet_id)
    await _missing(tweets, made.tweet_id)
    assert await client.get(f"tweet:{made.tweet_id}") == b""
    assert 0 < await client.ttl(f"tweet:{made.tweet_id}") <= BARRED_SECONDS
    assert [t.status for t in (await tweets.page(user_id=ALICE)).tweets] == ["t"]
    assert len(await tweets.recent(user_ids=[ALICE])) == 17


async def test_only_the_author_deletes_and_only_once(tweets: Tweets, client: Redis) -> None:
    made = await tweets.create(status="x")
    for user, tweet_id in ((BOB, made.tweet_id), (ALICE, 12345)):
        with pytest.raises(Refused) as refused:
            await tweets.delete(tweet_id, user=user)
        assert refused.value.reason == "TWEET_NOT_FOUND"
    assert (await tweets.get(made.tweet_id)).status == "x"
    with pytest.raises(Refused) as refused:
        await tweets.delete(made.tweet_id, user=0)
    assert refused.value.reason == "UNAUTHENTICATED"
    results = await asyncio.gather(
        *(tweets.delete(made.tweet_id) for _ in range(10)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert await tweets.sql("SELECT count(*) FROM events WHERE kind = 'TweetDeleted'") == [(1,)]


async def test_a_fill_under_way_does_not_undo_a_delete(
    fresh: Tweets, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await fresh.create(status="x")
    await until_cached(client, made.tweet_id)
    await client.flushall()
    read, go_on = asyncio.Event(), asyncio.Event()
    rows = ReadStore.rows

    async def held(self: ReadStore, tweet_ids: Any) -> Any:
        found = await rows(self, tweet_ids)
        read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(ReadStore, "rows", held)
    reading = asyncio.create_task(fresh.get(made.tweet_id))
    await read.wait()
    await fresh.delete(made.tweet_id)
    go_on.set()
    assert (await reading).status == "x"  # it began before the delete
    monkeypatch.setattr(ReadStore, "rows", rows)
    await asyncio.sleep(0.1)
    assert await client.get(f"tweet:{made.tweet_id}") == b""
    await _missing(fresh, made.tweet_id)


async def test_a_crash_between_commit_and_answer_leaves_nothing_readable(
    fresh: Tweets, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await fresh.create(status="x")
    await until_cached(client, made.tweet_id)
    delete = DeletionStore.delete

    async def crashing(self: DeletionStore, *arguments: Any) -> bool:
        await delete(self, *arguments)
        raise RuntimeError("crash")

    monkeypatch.setattr(DeletionStore, "delete", crashing)
    with pytest.raises(Refused) as refused:
        await fresh.delete(made.tweet_id)
    assert refused.value.code.name == "INTERNAL"
    await _missing(fresh, made.tweet_id)


async def test_a_delete_that_fails_leaves_the_tweet_readable(
    fresh: Tweets, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await fresh.create(status="x")
    await until_cached(client, made.tweet_id)

    async def failing(self: DeletionStore, *_arguments: Any) -> bool:
        raise RuntimeError("no")

    monkeypatch.setattr(DeletionStore, "delete", failing)
    with pytest.raises(Refused) as refused:
        await fresh.delete(made.tweet_id)
    assert refused.value.code.name == "INTERNAL"
    assert (await fresh.get(made.tweet_id)).status == "x"


async def test_a_redis_that_was_away_is_told_of_deletes_later(
    fresh: Tweets, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await fresh.create(status="x")
    await until_cached(client, made.tweet_id)
    bar, away = TweetCache._bar, True

    async def sometimes(self: TweetCache, *arguments: Any) -> bool:
        if away:
            self._failed(redis.ConnectionError("away"))
            return False
        return await bar(self, *arguments)

    monkeypatch.setattr(TweetCache, "_bar", sometimes)
    await fresh.delete(made.tweet_id)
    assert await client.get(f"tweet:{made.tweet_id}")
    away = False
    for _ in range(40):
        if not await client.get(f"tweet:{made.tweet_id}"):
            break
        await asyncio.sleep(0.1)
    await _missing(fresh, made.tweet_id)
