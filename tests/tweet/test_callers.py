"""Who posts: by header or by the body's token; and applications' keys."""

import asyncio
import dataclasses
import time

import pytest

from aviary.graph.v1.graph_service_pb2 import UseDevKeyResponse
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import Call, Caller
from services.chassis.config import Settings
from services.chassis.errors import TokenInvalidError
from services.chassis.tokens import TokenSigner, TokenVerifier
from services.local.keys import ensure_keys
from services.tweet.callers import BodyCallers
from services.tweet.dev_keys import DevKeyQuotas

from .graph import DEV_KEY, QUOTA, graph
from .harness import ALICE, BOB, Refused, Tweets, running


def sign(config: Settings, user_id: int, lifetime: float = 900) -> str:
    return TokenSigner(config.signing_key_path).sign(user_id, lifetime=lifetime)


async def test_the_bodys_token_names_the_author(tweets: Tweets, config: Settings) -> None:
    token = sign(config, BOB)
    for _ in range(2):  # the second time from memory
        made = await tweets.create(user=0, auth_token=token, user_id=str(BOB), status="seed")
        assert made.user_id == BOB


async def test_the_header_wins(tweets: Tweets, config: Settings) -> None:
    made = await tweets.create(user=ALICE, auth_token=sign(config, BOB), status="x")
    assert made.user_id == ALICE


async def test_a_token_speaks_for_its_user_only(tweets: Tweets, config: Settings) -> None:
    with pytest.raises(Refused) as refused:
        await tweets.create(user=0, auth_token=sign(config, BOB), user_id=str(ALICE), status="x")
    assert (refused.value.reason, refused.value.fields) == ("ACTING_FOR_OTHER_USER", ["user_id"])


@pytest.mark.parametrize("spoil", ["expired", "cut", "other key", "no token"])
async def test_a_broken_token_is_refused(
    tweets: Tweets, config: Settings, spoil: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = dataclasses.replace(config, home=tmp_path_factory.mktemp("other"))
    ensure_keys(other)
    token = {
        "expired": sign(config, BOB, lifetime=-1),
        "cut": sign(config, BOB)[:-3],
        "other key": sign(other, BOB),
        "no token": "abc",
    }[spoil]
    with pytest.raises(Refused) as refused:
        await tweets.create(user=0, auth_token=token, status="x")
    assert refused.value.reason == "TOKEN_INVALID"


async def test_a_remembered_token_ends_with_its_life(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unused(_key: str, _quota: str, _count: int) -> UseDevKeyResponse:
        raise AssertionError

    def no_more(_token: str) -> Caller:
        raise TokenInvalidError

    callers = BodyCallers(TokenVerifier(config.jwks_path), DevKeyQuotas(unused))
    token = sign(config, BOB, lifetime=5)
    await callers.identify(Call("m", {}, None), token=token, dev_key="")
    now = time.time()
    monkeypatch.setattr(callers._verifier, "verify", no_more)
    await callers.identify(Call("m", {}, None), token=token, dev_key="")
    monkeypatch.setattr("services.tweet.callers.time.time", lambda: now + 6)
    with pytest.raises(TokenInvalidError):
        await callers.identify(Call("m", {}, None), token=token, dev_key="")


async def test_dev_keys(config: Settings) -> None:
    async with graph(config) as (known, _), running(known) as tweets:
        assert (await tweets.create(api_dev_key=DEV_KEY, status="x")).tweet_id
        with pytest.raises(Refused) as refused:
            await tweets.create(api_dev_key="wrong", status="x")
        assert refused.value.reason == "DEV_KEY_INVALID"
        assert refused.value.fields == ["api_dev_key"]


async def test_a_slow_graph_does_not_hold_an_application_up(config: Settings) -> None:
    async with graph(config) as (known, servicer), running(known) as tweets:
        servicer._delay = 3.0
        started = time.perf_counter()
        assert (await tweets.create(api_dev_key="unchecked", status="x")).tweet_id
        assert time.perf_counter() - started < 2.0


async def test_graph_away_does_not_stop_an_application(tweets: Tweets) -> None:
    assert (await tweets.create(api_dev_key="unchecked", status="x")).tweet_id


async def test_an_applications_posts_are_counted_together(config: Settings) -> None:
    async with graph(config) as (known, servicer), running(known) as tweets:
        request = pb.CreateTweetRequest(api_dev_key=DEV_KEY, status="x")
        _, call = await tweets.call("CreateTweet", request, user=ALICE)
        headers = dict(call.initial)
        assert headers[b"ratelimit-limit"] == b"%d" % QUOTA
        assert headers[b"ratelimit-remaining"] == b"%d" % (QUOTA - 1)
        results = await asyncio.gather(
            *(tweets.create(api_dev_key=DEV_KEY, status=f"{n}") for n in range(20)),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, Refused)]
        assert len(refused) == 20 - (QUOTA - 1)
        assert {each.reason for each in refused} == {"QUOTA_EXCEEDED"}
        assert refused[0].metadata == {"quota": "write", "limit": str(QUOTA)}
        assert len(servicer._uses) < 10, "those that wait are counted in one call"
        await tweets.create(status="without a key")
