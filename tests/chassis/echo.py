"""An echo service on the chassis: `python -m services tests.chassis.echo`.

The request's text is a command; see the servicer.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.policy import Access, Policy, Rule
from services.chassis.server import Runtime, Service

from .echo_contract import DESCRIPTOR, Echo


class EchoServicer:
    """Does what the text says, for each kind of method."""

    def __init__(self) -> None:
        self._cancelled = 0

    async def unary(self, request: Any, call: Call) -> Any:
        match request.text:
            case "fail":
                raise InvalidFieldError(field="text", problem="says fail \u00e4\n%")
            case "bug":
                raise RuntimeError("a secret that must not leave")
            case "sleep":
                try:
                    await asyncio.sleep(request.count / 1000)
                except asyncio.CancelledError:
                    self._cancelled += 1
                    raise
            case "cancelled":
                return Echo(count=self._cancelled)
            case "metadata":
                call.initial.append((b"x-initial", call.headers.get(b"x-text", b"")))
                call.initial.append((b"x-initial-bin", bytes([0, 255])))
                call.trailing.append((b"x-trailing", b"bye"))
            case "bytes":
                return Echo(text="ready", data=request.data).SerializeToString()
            case "grow":
                return Echo(data=b"x" * request.count)
        return request

    async def server_stream(self, request: Any, _call: Call) -> AsyncIterator[Any]:
        try:
            for number in range(request.count):
                if request.text == "fail" and number == 2:
                    raise InvalidFieldError(field="text", problem="says fail")
                if request.text == "slow":
                    await asyncio.sleep(0.05)
                yield Echo(count=number, data=request.data)
        except (asyncio.CancelledError, GeneratorExit):
            self._cancelled += 1
            raise

    async def client_stream(self, requests: AsyncIterator[Any], _call: Call) -> Any:
        total = Echo()
        async for request in requests:
            if request.text == "fail":
                raise InvalidFieldError(field="text", problem="says fail")
            total.count += 1
            total.text += request.text
        return total

    async def bidi_stream(self, requests: AsyncIterator[Any], _call: Call) -> AsyncIterator[Any]:
        async for request in requests:
            if request.text == "fail":
                raise InvalidFieldError(field="text", problem="says fail")
            yield request


@contextlib.asynccontextmanager
async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
    rules = {
        f"/{DESCRIPTOR.full_name}/{method.name}": Rule(Access.PUBLIC, "")
        for method in DESCRIPTOR.methods
    }
    marker = os.environ.get("ECHO_CLOSED_MARKER")

    async def ready() -> None:
        gate = os.environ.get("ECHO_READY_MARKER")
        if gate and not Path(gate).exists():
            raise RuntimeError("not ready yet")

    yield Service({DESCRIPTOR: EchoServicer()}, {"self": ready}, Policy(rules))
    if marker:
        Path(marker).write_text("closed")
