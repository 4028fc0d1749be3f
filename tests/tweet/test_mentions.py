"""Mentions: resolved by Graph when it answers in time; posting never waits long for it."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from clients.graph import User
from services.chassis.config import Settings
from services.tweet.mentions import TIMEOUT, MentionResolver

from .graph import graph
from .harness import Tweets, running


async def test_mentioned_users_are_named_by_id(config: Settings) -> None:
    async with graph(config) as (known, servicer), running(known) as tweets:
        made = await tweets.create(status="hi @Alice and @bob and @nobody #tag")
        found = [(m.start, m.end, m.user_id, m.user_name) for m in made.entities.user_mentions]
        assert found == [(3, 9, 1001, "Alice"), (14, 18, 1002, "bob")]
        assert made.entities.hashtags[0].tag == "tag"
        stored = (await tweets.page(user_id=made.user_id)).tweets[0]
        assert stored.entities == made.entities
        asked = len(servicer._asked)
        await tweets.create(status="again @alice @NOBODY")
        assert len(servicer._asked) == asked == 3


async def test_without_graph_a_mention_stays_without_id(tweets: Tweets) -> None:
    started = time.perf_counter()
    made = await tweets.create(status="hi @alice")
    assert time.perf_counter() - started < TIMEOUT + 1
    assert [(m.user_id, m.user_name) for m in made.entities.user_mentions] == [(0, "alice")]
    started = time.perf_counter()
    await asyncio.gather(*(tweets.create(status=f"hi @user{n}") for n in range(20)))
    assert time.perf_counter() - started < 0.2, "it must not be asked again at once"


async def test_a_slow_graph_does_not_hold_posts_up(config: Settings) -> None:
    async with graph(config) as (known, servicer), running(known) as tweets:
        servicer._delay = 5.0
        started = time.perf_counter()
        made = await asyncio.gather(*(tweets.create(status=f"@user{n}") for n in range(30)))
        assert TIMEOUT / 2 < time.perf_counter() - started < TIMEOUT + 0.8
        assert {m.entities.user_mentions[0].user_id for m in made} == {0}


async def test_the_same_name_at_the_same_time_is_asked_once() -> None:
    asked: list[str] = []

    async def lookup(name: str) -> User:
        asked.append(name)
        await asyncio.sleep(0.01)
        return User(user_id=7)

    resolver = MentionResolver(lookup, CollectorRegistry())
    answers = await asyncio.gather(*(resolver.resolve(["Ann", "ANN"]) for _ in range(50)))
    assert all(answer == {"ann": 7} for answer in answers)
    assert asked == ["ann"]
