"""Quotas: counted per user and plan, per address without a user; 429 says when to go on."""

import asyncio

import grpc
import httpx
import pytest

from services.edge.quotas import Plans

from .calls import native, outcome_of
from .conftest import Edge
from .test_errors import BY_NAME

LIMITS = Plans.load().limits
TWEET = "/api/v1/tweets/5"


async def test_a_user_who_has_used_up_a_quota(edge: Edge) -> None:
    token = edge.bearer(9001, plan="free")
    limit = LIMITS["free"]["write"]
    for _ in range(limit):
        answer = await edge.http.delete(TWEET, headers=token)
        assert answer.status_code == 200
    answers = [await edge.http.delete(TWEET, headers=token) for _ in range(4)]
    refused = [outcome_of(answer) for answer in answers if answer.status_code == 429]
    assert refused  # one or two may have come back in the meantime
    outcome = refused[-1]
    assert outcome.reason == "QUOTA_EXCEEDED"
    for name in ("x-ratelimit-", "ratelimit-"):
        assert outcome.headers[name + "limit"] == str(limit)
        assert outcome.headers[name + "remaining"] == "0"
        assert int(outcome.headers[name + "reset"]) <= 1
    assert outcome.headers["retry-after"] == "1"

    async with grpc.aio.insecure_channel(edge.address) as channel:
        over_grpc = [await native(channel, BY_NAME["DeleteTweet"], token) for _ in range(4)]
    same = [o for o in over_grpc if o.code]
    assert same
    assert same[-1].reason == "QUOTA_EXCEEDED"
    assert same[-1].code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert same[-1].status == outcome.status

    other_quota = await edge.http.get(TWEET, headers=token)
    other_user = await edge.http.delete(TWEET, headers=edge.bearer(9002, plan="free"))
    other_plan = await edge.http.delete(TWEET, headers=edge.bearer(9001, plan="pro"))
    assert {a.status_code for a in (other_quota, other_user, other_plan)} == {200}


async def test_every_answer_says_what_is_left(edge: Edge) -> None:
    token = edge.bearer(9003, plan="trial")
    left = []
    for _ in range(3):
        answer = await edge.http.delete(TWEET, headers=token)
        assert answer.headers["ratelimit-limit"] == str(LIMITS["trial"]["write"])
        left.append(int(answer.headers["ratelimit-remaining"]))
    assert max(left) < LIMITS["trial"]["write"]


async def test_without_a_user_the_address_is_counted(edge: Edge) -> None:
    limit = LIMITS["anonymous"]["login"]

    async def log_in(client: httpx.AsyncClient) -> int:
        answer = await client.post("/api/v1/sessions", content=b"{}")
        return answer.status_code

    base = f"http://{edge.address}"
    codes: dict[str, list[int]] = {}
    for address in ("127.0.0.2", "127.0.0.3"):
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(base_url=base, transport=transport) as client:
            count = limit + 4 if address == "127.0.0.2" else 1
            codes[address] = list(await asyncio.gather(*(log_in(client) for _ in range(count))))
    assert codes["127.0.0.2"].count(200) >= limit
    assert 429 in codes["127.0.0.2"]
    assert codes["127.0.0.3"] == [200]


async def test_a_script_may_sign_thirty_users_up_in_a_minute(edge: Edge) -> None:
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.4")
    async with httpx.AsyncClient(base_url=f"http://{edge.address}", transport=transport) as client:
        codes = {(await client.post("/api/v1/users", content=b"{}")).status_code for _ in range(30)}
    assert codes == {200}


@pytest.mark.parametrize("plan", ["unlimited", "gold"])
async def test_plans_without_a_users_limit(edge: Edge, plan: str) -> None:
    """`unlimited` has no limit that matters; a plan that nobody defined has a common one."""
    answer = await edge.http.delete(TWEET, headers=edge.bearer(9004, plan=plan))
    limit = int(answer.headers["ratelimit-limit"])
    assert limit == (Plans.load().unknown_plan if plan == "gold" else 60_000_000)
