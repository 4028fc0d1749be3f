"""Mentions: resolved by Graph when it answers in time; posting never waits long for it."""

import asyncio
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from aviary.graph.v1.graph_service_pb2 import ViewerRules
from clients.errors import PeerError
from clients.graph import User
from services.chassis.config import Settings
from services.graph.domain_follows import pack_ids
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


class Users:
    """Knows a few names and whom one of them follows."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def lookup(self, user_name: str) -> User:
        self.asked.append(user_name)
        await asyncio.sleep(0.01)
        return User(user_id=ID_OF[user_name], mention_policy=POLICY_OF.get(user_name))

    async def viewer_rules(
        self, user_ids: Iterable[int], *, surface: int
    ) -> dict[int, ViewerRules]:
        if self.away:
            raise PeerError("graph", None, "away", None)  # type: ignore[arg-type]
        return {i: ViewerRules(user_id=i, following_ids=pack_ids([5, 9])) for i in user_ids}


ID_OF = {"ann": 7, "shy": 8, "choosy": 9}
POLICY_OF = {"shy": "MENTION_POLICY_NOBODY", "choosy": "MENTION_POLICY_FOLLOWING"}


async def test_the_same_name_at_the_same_time_is_asked_once() -> None:
    users = Users()
    resolver = MentionResolver(users, CollectorRegistry())
    answers = await asyncio.gather(*(resolver.resolve(["Ann", "ANN"], 1) for _ in range(50)))
    assert all(answer == {"ann": 7} for answer in answers)
    assert users.asked == ["ann"]


async def test_tagging_can_be_limited() -> None:
    """S003-12: nobody, or only those whom one follows; oneself always."""
    users = Users()
    resolver = MentionResolver(users, CollectorRegistry())
    everybody = list(ID_OF)
    assert await resolver.resolve(everybody, 5) == {"ann": 7, "choosy": 9}
    assert await resolver.resolve(everybody, 6) == {"ann": 7}
    assert await resolver.resolve(everybody, 8) == {"ann": 7, "shy": 8}
    assert await resolver.resolve(everybody, 0) == {"ann": 7}
    users.away = True
    assert await resolver.resolve(everybody, 5) == {"ann": 7}, "who cannot be asked is not tagged"
