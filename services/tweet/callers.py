"""Who posts, when the token or the application's key is in the request's body."""

import time
from typing import Protocol

import jwt

from services.chassis.call import Call, Caller

from .dev_keys import DevKeyQuotas

KEPT_SECONDS = 60.0
MAX_KEPT = 10_000
DEV_KEY = b"x-api-dev-key"


class Verifier(Protocol):
    """Verifies access tokens."""

    def verify(self, token: str) -> Caller:
        """Whoever the token speaks for; TOKEN_INVALID."""
        ...


class BodyCallers:
    """Sets a call's caller from the body's token; counts the post by its dev key.

    A token that was verified is remembered for a minute (a signature costs about 100 us), and never
    beyond its end.
    """

    def __init__(self, verifier: Verifier, quotas: DevKeyQuotas) -> None:
        self._verifier = verifier
        self._quotas = quotas
        self._tokens: dict[str, tuple[float, Caller]] = {}

    async def identify(self, call: Call, *, token: str, dev_key: str) -> None:
        """Take the caller from the token where no header named one; use the dev key's quota.

        The key may be in the header `X-Api-Dev-Key` instead. Raises TOKEN_INVALID, DEV_KEY_INVALID,
        QUOTA_EXCEEDED.
        """
        if token and not call.caller.user_id:
            call.caller = self._caller(token)
        dev_key = dev_key or call.headers.get(DEV_KEY, b"").decode("latin-1")
        if dev_key:
            await self._quotas.count(dev_key, call)

    def _caller(self, token: str) -> Caller:
        until, caller = self._tokens.get(token, (0.0, None))
        now = time.time()
        if caller is None or now >= until:
            caller = self._verifier.verify(token)
            claims = jwt.decode(token, options={"verify_signature": False})
            _keep(self._tokens, token, (min(now + KEPT_SECONDS, claims["exp"]), caller))
        return caller


def _keep(kept: dict[str, tuple[float, Caller]], key: str, value: tuple[float, Caller]) -> None:
    if len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value
