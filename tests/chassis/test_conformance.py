"""Both hosts behave alike towards ordinary grpcio clients."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from services.chassis.hosts.framing import MAX_MESSAGE_BYTES

from .echo_contract import DESCRIPTOR, PACKAGE, Echo
from .replica import Replica

CODE = grpc.StatusCode
EOF: Any = vars(grpc.aio)["EOF"]


def status_of(error: Any) -> Any:
    """The rich status of an error; fails where code or message disagree with it."""
    return rpc_status.from_call(error)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def numbered(count: int, text: str = "") -> AsyncIterator[Any]:
    for number in range(count):
        yield Echo(count=number, text=text)


async def test_unary(echo: Replica) -> None:
    reply = await echo.method("Unary")(Echo(text="hi", count=3))
    assert (reply.text, reply.count) == ("hi", 3)


async def test_ready_bytes_pass_through(echo: Replica) -> None:
    assert (await echo.method("Unary")(Echo(text="bytes", data=b"\0\xff"))).data == b"\0\xff"


async def test_empty_message(echo: Replica) -> None:
    assert await echo.method("Unary")(Echo()) == Echo()


async def test_error_carries_reason_and_field(echo: Replica) -> None:
    error = await failure(echo.method("Unary")(Echo(text="fail")))
    assert error.code() is CODE.INVALID_ARGUMENT
    assert error.details() == "text says fail \u00e4\n%"
    status = status_of(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.reason, info.domain) == ("INVALID_ARGUMENT", "aviary")
    assert bad.field_violations[0].field == "text"


async def test_unforeseen_exception_leaks_nothing(echo: Replica) -> None:
    error = await failure(echo.method("Unary")(Echo(text="bug"), metadata=[("x-request-id", "r7")]))
    assert error.code() is CODE.INTERNAL
    assert "secret" not in str(error)
    assert "r7" in str(error.details())
    assert "a secret that must not leave" in echo.log()


async def test_metadata_both_ways(echo: Replica) -> None:
    call = echo.method("Unary")(Echo(text="metadata"), metadata=[("x-text", "hello")])
    initial = dict(await call.initial_metadata())
    assert initial["x-initial"] == "hello"
    assert initial["x-initial-bin"] == b"\x00\xff"
    await call
    assert dict(await call.trailing_metadata())["x-trailing"] == "bye"


async def test_server_stream(echo: Replica) -> None:
    stream = echo.method("ServerStream")(Echo(count=300, data=b"x" * 1000))
    assert [reply.count async for reply in stream] == list(range(300))


async def test_empty_server_stream(echo: Replica) -> None:
    assert [reply async for reply in echo.method("ServerStream")(Echo(count=0))] == []


async def test_failure_in_the_middle_of_a_stream(echo: Replica) -> None:
    seen = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for reply in echo.method("ServerStream")(Echo(text="fail", count=5)):
            seen.append(reply.count)
    assert seen == [0, 1]
    assert caught.value.code() is CODE.INVALID_ARGUMENT
    assert status_of(caught.value).details


async def test_client_stream(echo: Replica) -> None:
    reply = await echo.method("ClientStream")(numbered(500, "ab"))
    assert (reply.count, reply.text) == (500, "ab" * 500)


async def test_client_stream_without_messages(echo: Replica) -> None:
    assert (await echo.method("ClientStream")(numbered(0))).count == 0


async def test_client_stream_failure(echo: Replica) -> None:
    error = await failure(echo.method("ClientStream")(numbered(3, "fail")))
    assert error.code() is CODE.INVALID_ARGUMENT


async def test_bidi_stream_takes_turns(echo: Replica) -> None:
    call = echo.method("BidiStream")()
    for number in range(5):
        await call.write(Echo(count=number))
        assert (await call.read()).count == number
    await call.done_writing()
    assert await call.read() is EOF
    assert await call.code() is CODE.OK


async def test_bidi_stream_failure(echo: Replica) -> None:
    call = echo.method("BidiStream")()
    await call.write(Echo(text="fail"))
    assert await call.code() is CODE.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["Unary", "ServerStream"])
async def test_deadline_is_answered_by_the_server(echo: Replica, name: str) -> None:
    request = Echo(text="sleep" if name == "Unary" else "slow", count=5000)
    call = echo.method(name)(request, timeout=0.4)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if name == "Unary":
            await call
        else:
            async for _ in call:
                pass
    assert caught.value.code() is CODE.DEADLINE_EXCEEDED
    # Only a server that kept a margin can still name the method.
    assert f"{PACKAGE}.EchoService/{name}" in str(caught.value.details())


async def test_cancelled_call_is_cancelled_in_the_handler(echo: Replica) -> None:
    unary = echo.method("Unary")
    before = (await unary(Echo(text="cancelled"))).count
    call = unary(Echo(text="sleep", count=10_000))
    await asyncio.sleep(0.3)
    call.cancel()
    until = time.monotonic() + 5
    while (await unary(Echo(text="cancelled"))).count == before:
        assert time.monotonic() < until, "the handler still sleeps"
        await asyncio.sleep(0.05)


async def test_cancelled_stream_is_cancelled_in_the_handler(echo: Replica) -> None:
    unary = echo.method("Unary")
    before = (await unary(Echo(text="cancelled"))).count
    stream = echo.method("ServerStream")(Echo(text="slow", count=10_000))
    await stream.read()
    stream.cancel()
    until = time.monotonic() + 5
    while (await unary(Echo(text="cancelled"))).count == before:
        assert time.monotonic() < until, "the handler still streams"
        await asyncio.sleep(0.05)


async def test_large_messages_both_ways(echo: Replica) -> None:
    data = bytes(range(256)) * 28_000
    assert (await echo.method("Unary")(Echo(data=data))).data == data


async def test_too_large_message_is_refused(echo: Replica) -> None:
    error = await failure(echo.method("Unary")(Echo(data=b"x" * (MAX_MESSAGE_BYTES + 1))))
    assert error.code() is CODE.RESOURCE_EXHAUSTED


async def test_gzip_is_served(echo: Replica) -> None:
    data = b"a" * 100_000
    reply = await echo.method("Unary")(Echo(data=data), compression=grpc.Compression.Gzip)
    assert reply.data == data


async def test_unknown_method(echo: Replica) -> None:
    error = await failure(echo.raw("/no.Such/Method")(b""))
    assert error.code() is CODE.UNIMPLEMENTED
    assert "/no.Such/Method" in str(error.details())


async def test_method_without_handler_says_so(echo: Replica) -> None:
    error = await failure(echo.method("Missing")(Echo()))
    assert error.code() is CODE.UNIMPLEMENTED
    info = error_details_pb2.ErrorInfo()
    assert status_of(error).details[0].Unpack(info)
    assert info.reason == "UNIMPLEMENTED"


async def test_bytes_that_are_no_message(echo: Replica) -> None:
    call = echo.raw(f"/{PACKAGE}.EchoService/Unary")
    assert (await failure(call(b"\xff\xff\xff"))).code() is CODE.INVALID_ARGUMENT


async def test_reflection_lists_the_services(echo: Replica) -> None:
    channel: Any = echo.channel
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await ask.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    reply = await ask.read()
    await ask.done_writing()
    names = {service.name for service in reply.list_services_response.service}
    assert {DESCRIPTOR.full_name, "grpc.health.v1.Health"} <= names


async def test_many_calls_at_once(echo: Replica) -> None:
    unary = echo.method("Unary")
    replies = await asyncio.gather(*(unary(Echo(count=n)) for n in range(400)))
    assert [reply.count for reply in replies] == list(range(400))
