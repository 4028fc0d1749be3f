"""Who sees a single tweet, and who may answer it: only what the edge asks is judged."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aviary.graph.v1.visibility_pb2 import (
    Surface,
    VisibilityRule,
    VisibilitySubject,
    VisibilityVerdict,
)
from aviary.tweet.v1 import tweet_pb2
from clients import context
from clients.errors import PeerError
from services.chassis.call import EDGE, USER_ID, Call
from services.chassis.errors import UnavailableError
from services.chassis.guard import Gate, Guard
from services.chassis.telemetry import RpcMetrics
from services.chassis.visibility import KEPT_SECONDS, VISIBLE, Subject, Visibility
from services.tweet.visibility import subject_of

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets

PROTECTED = VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED
BLOCKED_BY = VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR
BLOCKED = VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED
CAROL = 1003


async def test_a_hidden_tweet_is_not_there(known: tuple[Tweets, GraphServicer]) -> None:
    """S001-05: nor is a deleted one."""
    tweets, servicer = known
    hidden = (await tweets.create(user=ALICE, status="mine")).tweet_id
    shown = (await tweets.create(user=BOB, status="ours")).tweet_id
    servicer._hidden = {(0, ALICE): PROTECTED, (CAROL, ALICE): BLOCKED_BY}
    for viewer in (0, CAROL):
        with pytest.raises(Refused) as refused:
            await tweets.get(hidden, user=viewer, edge=True)
        assert refused.value.reason == "TWEET_NOT_FOUND"
        assert refused.value.metadata == {"tweet_id": str(hidden)}
        found = await tweets.batch_get([hidden, shown], user=viewer, edge=True)
        assert [tweet.tweet_id for tweet in found] == [shown]
        assert (await tweets.get(shown, user=viewer, edge=True)).tweet_id == shown
    assert (await tweets.get(hidden, user=BOB, edge=True)).tweet_id == hidden
    await tweets.delete(shown, user=BOB)
    with pytest.raises(Refused) as refused:
        await tweets.get(shown, user=BOB, edge=True)
    assert refused.value.reason == "TWEET_NOT_FOUND"
    assert {check.surface for check in servicer._checks} == {Surface.SURFACE_TWEET}


async def test_services_and_authors_are_not_asked_about(
    known: tuple[Tweets, GraphServicer],
) -> None:
    tweets, servicer = known
    made = (await tweets.create(status="x")).tweet_id
    servicer._hidden = {(BOB, ALICE): PROTECTED, (0, ALICE): PROTECTED}
    assert (await tweets.get(made)).tweet_id == made
    assert (await tweets.get(made, user=BOB)).tweet_id == made  # a service, on Bob's behalf
    assert len(await tweets.batch_get([made], user=BOB)) == 1
    assert (await tweets.get(made, user=ALICE, edge=True)).tweet_id == made
    assert servicer._checks == []


async def test_many_readers_cost_one_question(known: tuple[Tweets, GraphServicer]) -> None:
    tweets, servicer = known
    made = (await tweets.create(status="x")).tweet_id
    await asyncio.gather(*(tweets.get(made, edge=True) for _ in range(200)))
    assert len(servicer._checks) <= 4, "questions that wait are asked as one, answers are kept"


async def test_without_graph_a_tweet_of_which_nothing_is_known_waits(
    known: tuple[Tweets, GraphServicer],
) -> None:
    tweets, servicer = known
    made = (await tweets.create(status="x")).tweet_id
    servicer._away = True
    with pytest.raises(Refused) as refused:
        await tweets.get(made, edge=True)
    assert refused.value.reason == "UNAVAILABLE"
    assert (await tweets.get(made)).tweet_id == made


@pytest.mark.parametrize(
    ("rule", "reasons"),
    [
        (BLOCKED_BY, ("BLOCKED", "BLOCKED")),
        (BLOCKED, ("BLOCKED", "BLOCKED")),
        (PROTECTED, ("REPLY_TARGET_NOT_FOUND", "QUOTE_TARGET_NOT_FOUND")),
    ],
)
async def test_what_is_hidden_is_not_answered(
    known: tuple[Tweets, GraphServicer], rule: VisibilityRule, reasons: tuple[str, str]
) -> None:
    tweets, servicer = known
    target = (await tweets.create(user=ALICE, status="x")).tweet_id
    servicer._hidden = {(BOB, ALICE): rule}
    before = await tweets.sql("SELECT count(*) FROM tweets")
    for field, reason in zip(("in_reply_to_tweet_id", "quote_tweet_id"), reasons, strict=True):
        fields: dict[str, Any] = {field: target}
        with pytest.raises(Refused) as refused:
            await tweets.create(user=BOB, status="re", **fields)
        assert refused.value.reason == reason
        if reason == "BLOCKED":
            names = {"user_id": str(BOB), "target_user_id": str(ALICE)}
            assert refused.value.metadata == names
    assert await tweets.sql("SELECT count(*) FROM tweets") == before
    assert await tweets.create(user=ALICE, status="own", in_reply_to_tweet_id=target)


async def test_a_block_since_does_not_change_the_answer(
    known: tuple[Tweets, GraphServicer],
) -> None:
    tweets, servicer = known
    target = (await tweets.create(user=ALICE, status="x")).tweet_id
    fields: dict[str, Any] = {"status": "re", "in_reply_to_tweet_id": target}
    made = await tweets.create(user=CAROL, key="k", **fields)
    assert (made.in_reply_to_user_id, made.conversation_id) == (ALICE, target)
    servicer._hidden = {(CAROL, ALICE): BLOCKED_BY}
    async with asyncio.timeout(10):  # the verdict of the first reply is kept for a moment
        while await _reason(tweets.create(user=CAROL, **fields)) != "BLOCKED":
            await asyncio.sleep(0.1)
    assert (await tweets.create(user=CAROL, key="k", **fields)).tweet_id == made.tweet_id


async def _reason(posting: Awaitable[object]) -> str:
    try:
        await posting
    except Refused as refused:
        return str(refused.reason)
    return ""


async def test_replies_go_on_without_graph(known: tuple[Tweets, GraphServicer]) -> None:
    tweets, servicer = known
    target = (await tweets.create(user=ALICE, status="x")).tweet_id
    servicer._away = True
    assert await tweets.create(user=BOB, status="re", in_reply_to_tweet_id=target)
    servicer._away, servicer._delay = False, 10.0
    async with asyncio.timeout(5):
        assert await tweets.create(user=CAROL, status="re", in_reply_to_tweet_id=target)


async def test_the_mark_of_the_edge_is_not_handed_on() -> None:
    """Else the calls that a service makes for its caller would be judged a second time."""
    call = Call("/x/Y", {EDGE: b"1", USER_ID: b"7"}, None)
    async with Guard(call, Gate(1), RpcMetrics(CollectorRegistry()).of("/x/Y")):
        assert dict(context.current.get().metadata) == {USER_ID.decode(): "7"}


def test_whom_the_rules_ask_about() -> None:
    tweet = tweet_pb2.Tweet(tweet_id=1 << 60, user_id=ALICE, status="Z\x5a")
    assert subject_of(tweet.SerializeToString()) == Subject(ALICE)
    tweet.retweeted_status.user_id = BOB
    assert subject_of(tweet.SerializeToString()) == Subject(BOB, ALICE)


class Engine:
    """An engine that hides ALICE from everybody while `hides`, and may be away."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hides = self.away = False
        self.hidden_from: set[int] = set()
        self.calls: list[list[tuple[int, int]]] = []

    async def check(
        self, _viewer: int, _surface: Surface, subjects: Sequence[VisibilitySubject]
    ) -> list[VisibilityVerdict]:
        self.calls.append([(each.viewer_user_id, each.author_user_id) for each in subjects])
        if self.away:
            raise PeerError("graph", None, "away", None)  # type: ignore[arg-type]
        hidden = [
            (self.hides or subject.viewer_user_id in self.hidden_from)
            and subject.author_user_id == ALICE
            for subject in subjects
        ]
        return [VisibilityVerdict(visible=not h, rule=PROTECTED if h else VISIBLE) for h in hidden]


async def test_verdicts_are_kept_for_a_moment_and_longer_while_there_are_no_newer() -> None:
    engine = Engine()
    visibility = Visibility(engine.check, clock=lambda: engine.now)

    async def rule(author: int = ALICE) -> VisibilityRule:
        subject = Subject(author)
        return (await visibility.rules(BOB, Surface.SURFACE_TWEET, [subject]))[subject]

    assert await rule() == VISIBLE
    engine.hides = True
    assert await rule() == VISIBLE
    engine.now += 1.0
    assert await rule() == PROTECTED
    assert len(engine.calls) == 2
    engine.away = True
    engine.now += KEPT_SECONDS - 1
    assert await rule() == PROTECTED
    with pytest.raises(UnavailableError):
        await rule(CAROL)
    engine.now += 1
    with pytest.raises(UnavailableError):
        await rule()


async def test_many_viewers_are_one_question_of_bounded_size() -> None:
    engine = Engine()
    visibility = Visibility(engine.check)
    many = [Subject(author) for author in range(1, 2501)]
    await asyncio.gather(
        *(visibility.rules(v, Surface.SURFACE_TWEET, many[: 10 * v]) for v in (1, 2, 1)),
        visibility.rules(9000, Surface.SURFACE_TWEET, many),
    )
    assert [len(call) for call in engine.calls] == [1000, 1000, 9 + 19 + 500]
    asked = [look for call in engine.calls for look in call]
    assert len(set(asked)) == len(asked)
    assert {viewer for viewer, _ in asked} == {1, 2, 9000}


async def test_each_viewer_gets_its_own_verdicts() -> None:
    engine = Engine()
    engine.hidden_from = {BOB}
    visibility = Visibility(engine.check)
    subject = Subject(ALICE)
    answers = await asyncio.gather(
        *(visibility.rules(viewer, Surface.SURFACE_TWEET, [subject]) for viewer in (BOB, CAROL))
    )
    assert [answer[subject] for answer in answers] == [PROTECTED, VISIBLE]
    assert len(engine.calls) == 1
