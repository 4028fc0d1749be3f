"""Errors as `google.rpc.Status`: the one place where they become what travels."""

import asyncio

import psycopg
import psycopg_pool
import redis.exceptions
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from clients.errors import PeerError

from . import errors

DOMAIN = "aviary"
STORE_GONE = (
    psycopg.OperationalError,
    psycopg_pool.PoolTimeout,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
    ConnectionError,
)


class Failure(Exception):  # noqa: N818 - it is the outcome of a call, not an error of ours
    """How a call failed, ready to be sent: gRPC code, message, serialized Status."""

    def __init__(
        self,
        code: StatusCode,
        message: str,
        details: bytes,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after


def failure_of(error: BaseException, *, method: str, request_id: str) -> Failure:
    """Translate whatever left a handler; what nobody foresaw becomes INTERNAL and says nothing."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, PeerError) and error.status is not None:
        return _forward(error)
    return _pack(_service_error(error, method, request_id))


def _service_error(error: BaseException, method: str, request_id: str) -> errors.ServiceError:
    match error:
        case errors.ServiceError():
            return error
        case TimeoutError():
            return errors.DeadlineExceededError(method=method)
        case asyncio.CancelledError():
            return errors.CancelledCallError()
        case PeerError():
            return errors.UnavailableError(resource=error.peer)
        case psycopg.errors.QueryCanceled():
            return errors.DeadlineExceededError(method=method)
        case _ if isinstance(error, STORE_GONE):
            return errors.UnavailableError(resource="a store")
        case _:
            return errors.InternalError(request_id=request_id)


def _forward(error: PeerError) -> Failure:
    assert error.status is not None
    return Failure(error.code, error.message, error.status.SerializeToString(), error.retry_after)


def _pack(error: errors.ServiceError) -> Failure:
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    details: list[Any] = [_any(info)]
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for field, description in error.violations:
            bad.field_violations.add(field=field, description=description)
        details.append(_any(bad))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(_any(error_details_pb2.RetryInfo(retry_delay=delay)))
    status = status_pb2.Status(code=error.code.value[0], message=error.message, details=details)
    return Failure(error.code, error.message, status.SerializeToString(), error.retry_after)


def _any(message: error_details_pb2.ErrorInfo) -> Any:
    packed = Any()
    # One error, one run of bytes: a map's order would differ between processes.
    packed.Pack(message, deterministic=True)
    return packed
