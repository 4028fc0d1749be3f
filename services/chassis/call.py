"""One call as a handler sees it: who calls, until when, and the headers both ways."""

import secrets
import time
from dataclasses import dataclass

from .errors import (
    ActingForOtherUserError,
    IdempotencyKeyError,
    InvalidFieldError,
    UnauthenticatedError,
)

USER_ID = b"x-aviary-user-id"
SCOPES = b"x-aviary-scopes"
PLAN = b"x-aviary-plan"
REQUEST_ID = b"x-request-id"
IDEMPOTENCY_KEY = b"idempotency-key"
TRACE_PARENT = b"traceparent"
EDGE = b"x-aviary-edge"
"""Set by the edge, and by nobody else: whoever calls is outside. It is not handed on."""
MAX_IDEMPOTENCY_KEY = 128


class Json(bytes):
    """A reply that is JSON already; only for a call with `takes_json`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user on whose behalf a call is made; `user_id` 0 is nobody."""

    user_id: int = 0
    scopes: frozenset[str] = frozenset()
    plan: str = ""


class Call:
    """A call in progress.

    `method` is the gRPC path, `headers` the request's metadata by lower-case name (of a repeated
    name the last value), `deadline` a moment of `time.monotonic()` or None.
    """

    __slots__ = (
        "_caller",
        "_request_id",
        "deadline",
        "headers",
        "initial",
        "method",
        "takes_json",
        "trailing",
    )

    def __init__(self, method: str, headers: dict[bytes, bytes], deadline: float | None) -> None:
        self.method = method
        self.headers = headers
        self.deadline = deadline
        self.initial: list[tuple[bytes, bytes]] = []
        """Metadata sent before the first reply; add to it before answering."""
        self.trailing: list[tuple[bytes, bytes]] = []
        """Metadata sent with the status."""
        self.takes_json = False
        """Whether the edge would make JSON of the reply, and passes on what is JSON already."""
        self._caller: Caller | None = None
        self._request_id = ""

    @property
    def caller(self) -> Caller:
        """Who calls, as the edge or the calling service vouched for."""
        if self._caller is None:
            headers = self.headers
            self._caller = Caller(
                user_id=int(headers.get(USER_ID) or 0),
                scopes=frozenset(headers.get(SCOPES, b"").decode().split()),
                plan=headers.get(PLAN, b"").decode(),
            )
        return self._caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self._caller = caller

    @property
    def request_id(self) -> str:
        """The id that logs and errors of this call carry, through every hop."""
        if not self._request_id:
            given = self.headers.get(REQUEST_ID)
            self._request_id = given.decode("latin-1")[:64] if given else secrets.token_hex(8)
        return self._request_id

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, None where there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def require_caller(self) -> int:
        """The caller's user id; UNAUTHENTICATED where there is none."""
        user_id = self.caller.user_id
        if not user_id:
            raise UnauthenticatedError
        return user_id

    def own_user_id(self, text: str) -> int:
        """The user that a request names by id, `me` or nothing, who must be the caller."""
        caller = self.require_caller()
        if text and text != "me" and user_id_of(text) != caller:
            raise ActingForOtherUserError(user_id=text)
        return caller

    def any_user_id(self, text: str) -> int:
        """The user that a request names by id, `me` or nothing (the caller)."""
        return user_id_of(text) if text and text != "me" else self.require_caller()

    def idempotency_key(self, request_id: str) -> str:
        """The key under which a mutation is done once; empty where the caller gave none."""
        key = request_id or self.headers.get(IDEMPOTENCY_KEY, b"").decode("latin-1")
        if len(key) > MAX_IDEMPOTENCY_KEY or not (key.isascii() and (not key or key.isprintable())):
            raise IdempotencyKeyError(limit=MAX_IDEMPOTENCY_KEY)
        return key


def user_id_of(text: str) -> int:
    """The user id that a decimal text stands for."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 63:
        raise InvalidFieldError(field="user_id", problem=f"is {text[:40]!r}, not a user id or 'me'")
    return int(text)
