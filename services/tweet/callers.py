"""Who posts, when the token or the application's key is in the request's body."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import jwt
import structlog

from clients.errors import PeerError
from services.chassis.call import Call, Caller

from .errors import DevKeyInvalidError

KEPT_SECONDS = 60.0
TIMEOUT = 0.2
"""Seconds that a post waits for Graph at most."""
MAX_KEPT = 10_000
Kept = TypeVar("Kept")
log = structlog.get_logger()


class Verifier(Protocol):
    """Verifies access tokens."""

    def verify(self, token: str) -> Caller:
        """Whoever the token speaks for; TOKEN_INVALID."""
        ...


class BodyCallers:
    """Sets a call's caller from the body's token; checks the body's dev key.

    What was verified is remembered for a minute (a signature costs about 100 us), a token never
    beyond its end.
    """

    def __init__(
        self, verifier: Verifier, resolve_dev_key: Callable[[str], Awaitable[object]]
    ) -> None:
        self._verifier = verifier
        self._resolve_dev_key = resolve_dev_key
        self._tokens: dict[str, tuple[float, Caller]] = {}
        self._dev_keys: dict[str, float] = {}

    async def identify(self, call: Call, *, token: str, dev_key: str) -> None:
        """Take the caller from the token where no header named one, and check the dev key."""
        if token and not call.caller.user_id:
            call.caller = self._caller(token)
        if dev_key and self._dev_keys.get(dev_key, 0.0) < time.time():
            await self._check(dev_key)

    def _caller(self, token: str) -> Caller:
        until, caller = self._tokens.get(token, (0.0, None))
        now = time.time()
        if caller is None or now >= until:
            caller = self._verifier.verify(token)
            claims = jwt.decode(token, options={"verify_signature": False})
            _keep(self._tokens, token, (min(now + KEPT_SECONDS, claims["exp"]), caller))
        return caller

    async def _check(self, dev_key: str) -> None:
        """Refuse an unknown key; a Graph that is away does not stop posts, the key only counts."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._resolve_dev_key(dev_key)
        except PeerError as error:
            if error.reason == "DEV_KEY_INVALID":
                raise DevKeyInvalidError from None
            log.warning("dev key not checked", why=str(error))
            return
        except TimeoutError:
            log.warning("dev key not checked", why="no answer in time")
            return
        _keep(self._dev_keys, dev_key, time.time() + KEPT_SECONDS)


def _keep(kept: dict[str, Kept], key: str, value: Kept) -> None:
    if len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value
