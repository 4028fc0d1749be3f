"""Who may call what: every method, over REST and as native gRPC, with every kind of token."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.chassis.policy import Access
from services.edge.contract import Method

from .calls import Outcome, native, rest
from .conftest import Edge
from .test_config import METHODS

OPEN = [method for method in METHODS if not method.internal]
INTERNAL = [method for method in METHODS if method.internal]
Every = Callable[[Method, dict[str, str]], Awaitable[list[Outcome]]]
PUBLIC = {Access.PUBLIC, Access.BODY_TOKEN}


def claims(**changed: object) -> dict[str, object]:
    now = int(time.time())
    return {
        "iss": "aviary", "aud": "aviary", "sub": "123", "iat": now, "exp": now + 60,
        "scope": "", "plan": "unlimited",
    } | changed  # fmt: skip


def forged(edge: Edge) -> dict[str, str]:
    """Tokens that are not ours, or no longer, by what is wrong with them."""
    path: Path = edge.settings.signing_key_path
    ours = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(ours, Ed25519PrivateKey)
    theirs = Ed25519PrivateKey.generate()
    good = edge.sign(123, plan="unlimited")
    kid = {"kid": jwt.get_unverified_header(good)["kid"]}
    head, body, signature = good.split(".")
    lacking = claims()
    del lacking["exp"]
    return {
        "garbage": "x.y.z",
        "tampered": f"{head}.{body}.{signature[:-6]}AAAAAA",
        "other key": jwt.encode(claims(), theirs, "EdDSA", headers=kid),
        "unknown kid": jwt.encode(claims(), theirs, "EdDSA", headers={"kid": "../../dev/null"}),
        "none": jwt.encode(claims(), "", "none", headers=kid),
        "hmac": jwt.encode(claims(), "s" * 32, "HS256", headers=kid),
        "expired": jwt.encode(claims(exp=int(time.time()) - 10), ours, "EdDSA", headers=kid),
        "endless": jwt.encode(lacking, ours, "EdDSA", headers=kid),
        "other audience": jwt.encode(claims(aud="other"), ours, "EdDSA", headers=kid),
        "other issuer": jwt.encode(claims(iss="other"), ours, "EdDSA", headers=kid),
    }


@pytest.fixture(scope="module")
async def every(edge: Edge) -> AsyncIterator[Every]:
    """Call a method each way that there is, with these headers."""

    async def call(method: Method, headers: dict[str, str]) -> list[Outcome]:
        ways = [rest(edge.http, binding, headers) for binding in method.bindings]
        return list(await asyncio.gather(native(channel, method, headers), *ways))

    async with grpc.aio.insecure_channel(edge.address) as channel:
        yield call


@pytest.mark.parametrize("method", OPEN, ids=lambda method: method.path)
async def test_without_a_token(edge: Edge, every: Every, method: Method) -> None:
    expected = {(0, "")} if method.rule.access in PUBLIC else {(16, "UNAUTHENTICATED")}
    assert {(o.code, o.reason) for o in await every(method, {})} == expected


@pytest.mark.parametrize("method", OPEN, ids=lambda method: method.path)
async def test_with_a_forged_token(edge: Edge, every: Every, method: Method) -> None:
    before = len(edge.log.calls)
    for kind, token in forged(edge).items():
        for outcome in await every(method, {"authorization": f"Bearer {token}"}):
            assert (outcome.code, outcome.reason) == (16, "TOKEN_INVALID"), kind
            assert outcome.http in {0, 401}
    assert len(edge.log.calls) == before


@pytest.mark.parametrize("method", OPEN, ids=lambda method: method.path)
async def test_a_caller_is_who_the_token_names(edge: Edge, every: Every, method: Method) -> None:
    before = len(edge.log.calls)
    lies = {
        "x-aviary-user-id": "999",
        "X-Aviary-Scopes": "operator",
        "x-aviary-plan": "pro",
        "x-aviary-else": "1",
        "x-aviary-edge": "no",
        "x_aviary_user_id": "999",
        "x-envoy-original-path": "/admin",
        "x-forwarded-for": "203.0.113.9",
        "x-envoy-external-address": "203.0.113.9",
    }
    lies = {name.lower(): value for name, value in lies.items()}
    token = edge.bearer(456, scopes=["operator"] if method.rule.access is Access.OPERATOR else [])
    for outcome in await every(method, lies | token):
        assert (outcome.code, outcome.reason) == (0, "")
    seen = edge.log.calls[before:]
    assert len(seen) == 1 + len(method.bindings)
    for call in seen:
        assert call.headers["x-aviary-user-id"] == "456"
        assert call.headers["x-aviary-plan"] == "unlimited"
        assert call.headers["x-aviary-edge"] == "1"
        assert "203.0.113.9" not in call.headers.values()
        assert "999" not in call.headers.values()
        assert not {"authorization", "x-aviary-else"} & set(call.headers)


async def test_nobody_stays_nobody(edge: Edge, every: Every) -> None:
    """Without a token the headers of a caller are taken away all the same."""
    method = next(method for method in OPEN if method.descriptor.name == "GetTweet")
    before = len(edge.log.calls)
    await every(method, {"x-aviary-user-id": "999", "x-aviary-scopes": "operator"})
    seen = edge.log.calls[before:]
    assert len(seen) == 1 + len(method.bindings)
    for call in seen:
        assert not {"x-aviary-user-id", "x-aviary-scopes"} & set(call.headers)


@pytest.mark.parametrize(
    "method", [m for m in OPEN if m.rule.access is Access.OPERATOR], ids=lambda m: m.path
)
async def test_operators_methods_need_the_scope(edge: Edge, every: Every, method: Method) -> None:
    for scopes in ([], ["operators"], ["read"]):
        for outcome in await every(method, edge.bearer(456, scopes=scopes)):
            assert (outcome.code, outcome.reason) == (7, "SCOPE_MISSING")


@pytest.mark.parametrize("method", INTERNAL, ids=lambda method: method.path)
async def test_internal_methods_are_closed(edge: Edge, every: Every, method: Method) -> None:
    before = len(edge.log.calls)
    operator = edge.bearer(456, scopes=["operator"])
    for headers in ({}, operator, {"x-aviary-user-id": "1", "x-envoy-original-path": "/x"}):
        (outcome,) = await every(method, headers)
        assert (outcome.code, outcome.reason) == (7, "INTERNAL_METHOD")
    assert len(edge.log.calls) == before


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/grpc.health.v1.Health/Check", 7, "INTERNAL_METHOD"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 7, "INTERNAL_METHOD"),
        ("/aviary.tweet.v1.TweetService/Shout", 12, "METHOD_UNKNOWN"),
        ("/aviary.tweet.v1.TweetService/GetTweet/", 12, "METHOD_UNKNOWN"),
        ("/aviary.tweet.v1.TweetService/gettweet", 12, "METHOD_UNKNOWN"),
        ("/api/v1/tweet", 12, "METHOD_UNKNOWN"),
    ],
)
async def test_what_is_not_in_the_table_is_denied(
    edge: Edge, path: str, code: int, reason: str
) -> None:
    method = Method(path[1:].rpartition("/")[0], type(METHODS[0].descriptor)(), METHODS[0].rule, ())
    method.descriptor.name = path.rpartition("/")[2]
    async with grpc.aio.insecure_channel(edge.address) as channel:
        outcome = await native(channel, method, edge.bearer())
    assert (outcome.code, outcome.reason) == (code, reason)
