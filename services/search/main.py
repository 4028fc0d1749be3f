"""Composition root of the Search service."""

import contextlib
from collections.abc import AsyncIterator

from services.chassis.server import Runtime, Service

from .servicer import DESCRIPTOR, SearchServicer


@contextlib.asynccontextmanager
async def compose(_runtime: Runtime) -> AsyncIterator[Service]:
    """The service."""
    yield Service({DESCRIPTOR: SearchServicer()})
