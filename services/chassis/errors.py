"""Errors that callers see: one class per reason, its fields are the reason's metadata.

Domains and stores raise them; `status.py` translates them once, at the edge of the process. The
catalogue of reasons, each with an example, is `protos/aviary/errors/v1/error_reason.proto`.
"""

from string import Formatter
from typing import ClassVar

from grpc import StatusCode


class ServiceError(Exception):
    """Base of every error that may leave a service.

    A subclass sets `code` (gRPC), `reason` (name in the catalogue without its prefix) and
    `template`; the template's fields are keyword arguments and become the error's metadata.
    `field` names the request's field at fault where there is one.
    """

    code: ClassVar[StatusCode] = StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    template: ClassVar[str] = "an internal error occurred"
    field: ClassVar[str] = ""
    retry_after: float | None = None
    """Seconds after which trying again makes sense, where that is known."""

    def __init__(self, **metadata: object) -> None:
        super().__init__(self.template.format(**metadata))
        self.metadata = {name: str(value) for name, value in metadata.items()}

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self)

    @property
    def violations(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a request's field and what is wrong with it."""
        field = self.metadata.get("field", self.field)
        return ((field, self.message),) if field else ()

    def __init_subclass__(cls) -> None:
        """Refuse a template that could not be filled from keyword arguments."""
        if any(name == "" for _, name, _, _ in Formatter().parse(cls.template)):
            raise TypeError(f"{cls.__name__}.template has a field without a name")


class InvalidFieldError(ServiceError):
    """A field of the request breaks a rule that has no reason of its own."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"
    template = "{field} {problem}"


class NegativePageSizeError(ServiceError):
    """`page_size` is below zero."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PAGE_SIZE_NEGATIVE"
    template = "page_size is {page_size}; it must be 0 (for the default) or more"
    field = "page_size"


class PageTokenError(ServiceError):
    """`page_token` is not one that this call gave out."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PAGE_TOKEN_INVALID"
    template = "page_token was not given out by this call with these parameters"
    field = "page_token"


class MalformedRequestError(ServiceError):
    """The bytes of the request are not the message that the method takes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MALFORMED_REQUEST"
    template = "the request could not be read as {message}"


class UnauthenticatedError(ServiceError):
    """The method needs a caller and the request names none."""

    code = StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"
    template = "this call needs a token: send 'Authorization: Bearer <access_token>'"


class TokenInvalidError(ServiceError):
    """The token is broken, expired, or signed by somebody else."""

    code = StatusCode.UNAUTHENTICATED
    reason = "TOKEN_INVALID"
    template = "the token is invalid or has expired; create a session for a new one"


class ActingForOtherUserError(ServiceError):
    """The caller asked for something that belongs to another user."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ACTING_FOR_OTHER_USER"
    template = "this token may not act for user {user_id}"
    field = "user_id"


class ScopeMissingError(ServiceError):
    """The caller's token lacks a scope."""

    code = StatusCode.PERMISSION_DENIED
    reason = "SCOPE_MISSING"
    template = "this call needs a token with the scope {scope}"


class IdempotencyMismatchError(ServiceError):
    """The idempotency key was used before with another request."""

    code = StatusCode.ABORTED
    reason = "IDEMPOTENCY_MISMATCH"
    template = "the idempotency key {request_id} was used before with another request"
    field = "request_id"


class IdempotencyKeyError(ServiceError):
    """The idempotency key is too long or holds other than printable ASCII."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IDEMPOTENCY_KEY_INVALID"
    template = "request_id must be 1 to {limit} printable ASCII characters"
    field = "request_id"


class OverloadedError(ServiceError):
    """A bounded queue is full: the work was refused before it began."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"
    template = "{resource} is overloaded; try again shortly"
    retry_after = 1.0


class QuotaExceededError(ServiceError):
    """A quota of the caller is used up."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"
    template = "the quota {quota} of {limit} is used up"

    def __init__(self, *, retry_after: float, **metadata: object) -> None:
        super().__init__(**metadata)
        self.retry_after = retry_after


class NotImplementedYetError(ServiceError):
    """The contract has the method; this version does not serve it."""

    code = StatusCode.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"
    template = "{method} is part of the contract but not served by this version"


class UnknownMethodError(ServiceError):
    """No such method."""

    code = StatusCode.UNIMPLEMENTED
    reason = "METHOD_UNKNOWN"
    template = "there is no method {method}"


class UnavailableError(ServiceError):
    """A store or a peer cannot be reached; nothing is known to have been done."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    template = "{resource} cannot be reached at the moment; try again shortly"
    retry_after = 1.0


class DeadlineExceededError(ServiceError):
    """The caller's deadline passed while the work went on."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"
    template = "{method} did not finish within the deadline"


class CancelledCallError(ServiceError):
    """The caller went away."""

    code = StatusCode.CANCELLED
    reason = "CANCELLED"
    template = "the call was cancelled"


class InternalError(ServiceError):
    """Something went wrong that the caller cannot mend; the log has the rest."""

    code = StatusCode.INTERNAL
    reason = "INTERNAL"
    template = "an internal error occurred; quote request id {request_id} when you report it"


class DrainingError(ServiceError):
    """The replica is about to go: another one goes on from the stream's last cursor."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    template = "{resource} is draining, reconnect"
    retry_after = 0.5


class StreamExpiredError(ServiceError):
    """The stream is as old as a token may be: whoever goes on must show a valid one."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    template = "{resource} has reached its age of {seconds} s, reconnect"
    retry_after = 0.5
