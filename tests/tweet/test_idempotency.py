"""One key, one tweet: however often, however parallel, in however many processes."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from services.chassis.config import Settings
from services.chassis.stores import open_pool
from services.tweet.domain import TweetRow
from services.tweet.store.keys import prune
from services.tweet.store.posts import NewPost, PostStore

from .harness import ALICE, BOB, Refused, Tweets, running

SLOW_KEYS = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$;
CREATE TRIGGER wait BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION wait();
"""


async def test_a_hundred_parallel_posts_make_one_tweet(tweets: Tweets, config: Settings) -> None:
    async with running(config) as second:
        posts = [
            service.create(status="once", key="k")
            for service, _ in zip(itertools.cycle([tweets, second]), range(100), strict=False)
        ]
        answers = {made.SerializeToString() for made in await asyncio.gather(*posts)}
        assert len(answers) == 1
        assert await tweets.sql("SELECT count(*) FROM tweets") == [(1,)]
        assert await tweets.sql("SELECT count(*) FROM events") == [(1,)]


async def test_batches_with_the_same_keys_do_not_wait_for_each_other(
    fresh: Tweets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fresh.sql(SLOW_KEYS)
    attempts: list[int] = []
    commit = PostStore._commit

    async def counted(self: PostStore, posts: Sequence[NewPost]) -> Any:
        attempts.append(len(posts))
        return await commit(self, posts)

    monkeypatch.setattr(PostStore, "_commit", counted)
    forth = [NewPost(TweetRow(n, 1, "x", b""), b"", b"", f"k{n}", b"h") for n in range(1, 21)]
    back = [
        NewPost(TweetRow(n + 100, 1, "x", b""), b"", b"", f"k{n}", b"h") for n in range(20, 0, -1)
    ]
    async with open_pool(fresh.dsn, size=2, name="test") as pool:
        store = PostStore(pool)
        first, second = await asyncio.gather(store.commit(forth), store.commit(back))
    assert attempts == [20, 20], "a deadlock was broken and its batch tried again"
    assert first == list(reversed(second))
    assert await fresh.sql("SELECT count(*) FROM tweets") == [(20,)]


async def test_the_same_key_later_answers_the_same(tweets: Tweets) -> None:
    first = await tweets.create(status="hi #there", key="k")
    again = await tweets.create(status="hi #there", request_id="k")
    assert again.SerializeToString() == first.SerializeToString()
    assert (await tweets.create(status="hi #there")).tweet_id != first.tweet_id
    assert (await tweets.create(user=BOB, status="hi", key="k")).user_id == BOB


async def test_another_body_under_a_key_is_refused(tweets: Tweets) -> None:
    await tweets.create(status="one", key="k")
    with pytest.raises(Refused) as refused:
        await tweets.create(status="two", key="k")
    assert refused.value.reason == "IDEMPOTENCY_MISMATCH"
    assert refused.value.code.name == "ABORTED"
    assert refused.value.fields == ["request_id"]
    assert await tweets.sql("SELECT count(*) FROM tweets") == [(1,)]


async def test_two_bodies_under_a_key_in_one_batch(tweets: Tweets) -> None:
    results = await asyncio.gather(
        *(tweets.create(status=f"body {n % 2}", key="k") for n in range(20)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, Refused)]
    assert {error.reason for error in refused} == {"IDEMPOTENCY_MISMATCH"}
    assert len(refused) == 10
    assert await tweets.sql("SELECT count(*) FROM tweets") == [(1,)]


async def test_a_target_gone_since_does_not_change_the_answer(tweets: Tweets) -> None:
    target = (await tweets.create(status="target")).tweet_id
    reply = await tweets.create(user=BOB, status="re", in_reply_to_tweet_id=target, key="k")
    await tweets.delete(target)
    again = await tweets.create(user=BOB, status="re", in_reply_to_tweet_id=target, key="k")
    assert again.SerializeToString() == reply.SerializeToString()
    with pytest.raises(Refused) as refused:
        await tweets.create(user=BOB, status="re", in_reply_to_tweet_id=target, key="other")
    assert refused.value.reason == "REPLY_TARGET_NOT_FOUND"


async def test_a_refused_post_does_not_use_its_key_up(tweets: Tweets) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.create(status="", key="k")
    assert refused.value.reason == "STATUS_EMPTY"
    assert (await tweets.create(status="now", key="k")).user_id == ALICE


async def test_keys_are_kept_for_a_day(tweets: Tweets) -> None:
    first = await tweets.create(status="x", key="old")
    await tweets.create(status="x", key="new")
    await tweets.sql(
        "UPDATE idempotency_keys SET create_time = now() - interval '25 hours'"
        " WHERE request_id = 'old'"
    )
    async with open_pool(tweets.dsn, size=1, name="test") as pool:
        assert await prune(pool) == 1
    assert await tweets.sql("SELECT request_id FROM idempotency_keys") == [("new",)]
    assert (await tweets.create(status="x", key="old")).tweet_id != first.tweet_id
