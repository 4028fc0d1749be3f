"""Errors: one shape and one reason over REST and gRPC, the services' and Envoy's own."""

import asyncio
import contextlib
import re

import grpc
import pytest

from services.edge.schemas import Contract

from .calls import Outcome, native, outcome_of
from .conftest import Edge
from .test_config import DESCRIPTORS, METHODS

REASON = ".aviary.errors.v1.ErrorReason"
BY_NAME = {method.descriptor.name: method for method in METHODS}
HTTP_OF_CODE = {
    "INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499,
    "FAILED_PRECONDITION": 400, "INTERNAL": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # fmt: skip


def catalogue() -> list[tuple[str, str, int]]:
    """Reason, gRPC code and HTTP status, as the comments of error_reason.proto give them."""
    contract = Contract(DESCRIPTORS)
    found = []
    for value in contract.enum_values(REASON):
        text = contract.comment(f"{REASON}.{value}")
        if stated := re.search(r"Code (\w+), HTTP (\d+)\.", text):
            found.append((value.removeprefix("ERROR_REASON_"), stated[1], int(stated[2])))
    return found


async def both(edge: Edge, headers: dict[str, str]) -> tuple[Outcome, Outcome]:
    """The same call over REST and as native gRPC."""
    over_rest = outcome_of(await edge.http.post("/api/v1/tweet", content=b"{}", headers=headers))
    async with grpc.aio.insecure_channel(edge.address) as channel:
        return over_rest, await native(channel, BY_NAME["CreateTweet"], headers)


def test_the_catalogue_is_read_whole() -> None:
    values = Contract(DESCRIPTORS).enum_values(REASON)
    assert len(catalogue()) == len(values) - 1  # all but UNSPECIFIED


@pytest.mark.parametrize(("reason", "code", "http"), catalogue())
async def test_a_services_error_arrives_whole(
    edge: Edge, reason: str, code: str, http: int
) -> None:
    headers = {**edge.bearer(), "test-reason": reason, "test-code": code}
    over_rest, over_grpc = await both(edge, headers)
    assert over_rest.reason == over_grpc.reason == reason
    assert over_rest.code == over_grpc.code == grpc.StatusCode[code].value[0]
    assert over_rest.status == over_grpc.status
    # A service knows no 413: that is the edge's.
    assert over_rest.http == HTTP_OF_CODE[code]
    assert http in {over_rest.http, 413}


@pytest.mark.parametrize(("code", "expected"), [("RESOURCE_EXHAUSTED", "7"), ("NOT_FOUND", None)])
async def test_retry_after(edge: Edge, code: str, expected: str | None) -> None:
    """The delay that a service asks for; what Envoy asks for is in the tests of its replies."""
    headers = {**edge.bearer(), "test-reason": "X", "test-code": code}
    over_rest, _ = await both(edge, headers)
    assert over_rest.headers.get("retry-after") == expected


async def test_envoys_own_error_has_the_shape_too(edge: Edge) -> None:
    over_rest, over_grpc = await both(edge, {"authorization": "Bearer x.y.z"})
    assert over_rest.http == 401
    assert over_rest.reason == over_grpc.reason == "TOKEN_INVALID"
    assert over_rest.status == over_grpc.status


async def test_a_large_message_is_refused_over_grpc_as_over_rest(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        request = b"\x1a\xff\xff\x03" + b"a" * 65535
        outcome = await native(channel, BY_NAME["CreateTweet"], edge.bearer(), request)
    assert (outcome.code, outcome.reason) == (3, "REQUEST_TOO_LARGE")


async def test_more_calls_than_a_service_takes(edge: Edge) -> None:
    """Refused at once, so that nothing waits behind a service that is busy."""
    slow = {**edge.bearer(), "test-sleep": "1.5"}
    async with contextlib.AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(
                    edge.address, options=[("grpc.use_local_subchannel_pool", 1)]
                )
            )
            for _ in range(2)
        ]
        calls = [native(channels[n % 2], BY_NAME["CreateTweet"], slow) for n in range(300)]
        waiting = asyncio.gather(*calls)
        await asyncio.sleep(1.0)
        over_rest = outcome_of(await edge.http.post("/api/v1/tweet", headers=edge.bearer()))
        over_grpc = [outcome for outcome in await waiting if outcome.code]
    assert len(over_grpc) >= 300 - 256
    assert {outcome.reason for outcome in over_grpc} == {"OVERLOADED"}
    assert (over_rest.http, over_rest.reason) == (429, "OVERLOADED")
    assert over_rest.headers["retry-after"] == "1"
    assert over_rest.status == over_grpc[0].status


async def test_reads_are_retried_and_writes_are_not(edge: Edge) -> None:
    headers = {**edge.bearer(), "test-reason": "UNAVAILABLE", "test-code": "UNAVAILABLE"}
    before = len(edge.log.calls)
    await edge.http.get("/api/v1/tweets/1", headers=headers)
    assert len(edge.log.calls) - before == 4
    await edge.http.post("/api/v1/tweet", content=b"{}", headers=headers)
    assert len(edge.log.calls) - before == 5


async def test_a_service_knows_the_deadline(edge: Edge) -> None:
    """The route's over REST, the caller's over gRPC where it is nearer."""
    await edge.http.get("/api/v1/tweets/1", headers=edge.bearer())
    left = edge.log.last.time_remaining
    assert left is not None
    assert 4 < left <= 5.1
    async with grpc.aio.insecure_channel(edge.address) as channel:
        await native(channel, BY_NAME["GetTweet"], edge.bearer(), timeout=1.0)
    left = edge.log.last.time_remaining
    assert left is not None
    assert left < 1.1


async def test_a_service_that_is_late_is_said_to_be(edge: Edge) -> None:
    headers = {**edge.bearer(), "test-sleep": "9"}
    outcome = outcome_of(await edge.http.get("/api/v1/tweets/1", headers=headers))
    assert (outcome.http, outcome.reason) == (504, "DEADLINE_EXCEEDED")
