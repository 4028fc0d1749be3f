"""Calls of any method of the contract, over REST and as native gRPC, and what came of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from clients.errors import PeerError
from services.edge.contract import Binding, Method

PATH_VALUES = {"key": "abc", "user_name": "wren"}


@dataclass
class Outcome:
    """How a call ended: HTTP status (0 over gRPC), gRPC code number, reason, headers, details.

    `status` is the JSON form of the `google.rpc.Status`: its bytes hold a map in any order.
    """

    http: int
    code: int
    reason: str
    headers: Mapping[str, str]
    status: dict[str, Any] | None = None


async def rest(
    client: httpx.AsyncClient, binding: Binding, headers: Mapping[str, str] | None = None
) -> Outcome:
    """A call of one REST path with any arguments that can be read."""
    path = binding.path
    while "{" in path:
        name = path[path.index("{") + 1 : path.index("}")]
        path = path.replace(f"{{{name}}}", PATH_VALUES.get(name, "5"))
    body = b"{}" if binding.body else None
    return outcome_of(await client.request(binding.verb, path, headers=headers, content=body))


def outcome_of(response: httpx.Response) -> Outcome:
    """What a REST answer says; an error must be a `google.rpc.Status` in JSON."""
    if response.status_code == 200:
        return Outcome(200, 0, "", response.headers)
    assert response.headers["content-type"] == "application/json", response.text
    body = json.loads(response.text)
    assert set(body) == {"code", "message", "details"}, body
    status = json_format.ParseDict(body, status_pb2.Status())
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info), body
    assert info.domain == "aviary"
    return Outcome(response.status_code, status.code, info.reason, response.headers, _plain(status))


async def native(
    channel: grpc.aio.Channel,
    method: Method,
    headers: Mapping[str, str] | None = None,
    request: bytes = b"",
    timeout: float = 10.0,  # noqa: ASYNC109 - handed to grpcio
) -> Outcome:
    """A call as native gRPC."""
    shape = method.descriptor
    metadata = tuple((headers or {}).items())
    # The four kinds of callables have nothing in common in grpcio's types.
    kinds: Any = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    argument = iter([request]) if shape.client_streaming else request
    kind = kinds[shape.client_streaming, shape.server_streaming]
    call = kind(method.path)(argument, metadata=metadata, timeout=timeout)
    try:
        if shape.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        failure = PeerError.of("edge", error)
        status = _plain(failure.status) if failure.status else None
        return Outcome(0, failure.code.value[0], failure.reason, {}, status)
    return Outcome(0, 0, "", dict(await call.initial_metadata()))


def _plain(status: status_pb2.Status) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(status)
    return plain
