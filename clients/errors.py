"""What a failed call raises: one exception that carries the service's reason."""

from collections.abc import Iterable, Mapping

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

STATUS_KEY = "grpc-status-details-bin"


class PeerError(Exception):
    """A call to a service failed.

    `code` is gRPC's; `reason` is the name in `aviary.errors.v1.ErrorReason` without its prefix, or
    empty where no service answered; `metadata` and `violations` (field, description) explain it.
    """

    def __init__(
        self, peer: str, code: grpc.StatusCode, message: str, status: status_pb2.Status | None
    ) -> None:
        super().__init__(message)
        self.peer = peer
        self.code = code
        self.message = message
        self.status = status
        self.reason = ""
        self.metadata: Mapping[str, str] = {}
        self.violations: tuple[tuple[str, str], ...] = ()
        self.retry_after: float | None = None
        for detail in status.details if status else ():
            self._read(detail)

    def _read(self, detail: Any) -> None:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
            self.violations = tuple((v.field, v.description) for v in bad.field_violations)
        elif detail.Is(retry.DESCRIPTOR):
            detail.Unpack(retry)
            self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()

    @classmethod
    def of(cls, peer: str, error: grpc.aio.AioRpcError) -> "PeerError":
        """The typed form of grpcio's exception."""
        trailing: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()  # type: ignore[assignment]
        raw = dict(trailing).get(STATUS_KEY)
        status = status_pb2.Status.FromString(raw) if isinstance(raw, bytes) else None
        return cls(peer, error.code(), error.details() or "", status)
