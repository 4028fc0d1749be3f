"""gRPC's framing over HTTP/2 bodies, and how a status is written into trailers."""

import gzip
import time
import zlib
from base64 import b64encode
from urllib.parse import quote

from grpc import StatusCode

from ..errors import InvalidFieldError, MalformedRequestError, ServiceError

MAX_MESSAGE_BYTES = 8 << 20
PREFIX_BYTES = 5
_TIMEOUT_UNITS = {
    b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9
}  # fmt: skip
Headers = list[tuple[bytes, bytes]]


class MessageTooLargeError(ServiceError):
    """A message is larger than a service takes."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "REQUEST_TOO_LARGE"
    template = "the message has {size} bytes; at most {limit} are accepted"


class UnknownCompressionError(ServiceError):
    """The message is compressed in a way that is not served."""

    code = StatusCode.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"
    template = "compression {encoding} is not served; use identity or gzip"


def frame(message: bytes) -> bytes:
    """A message with its five-byte prefix (uncompressed)."""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def take_frame(buffer: bytes, encoding: bytes | None) -> tuple[bytes, bytes] | None:
    """The first message of the buffer and what follows it; None while it is incomplete."""
    if len(buffer) < PREFIX_BYTES:
        return None
    size = int.from_bytes(buffer[1:PREFIX_BYTES], "big")
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(size=size, limit=MAX_MESSAGE_BYTES)
    end = PREFIX_BYTES + size
    if len(buffer) < end:
        return None
    message = buffer[PREFIX_BYTES:end]
    return (_inflate(message, encoding) if buffer[0] else message), buffer[end:]


def _inflate(message: bytes, encoding: bytes | None) -> bytes:
    """Decompress, but never into more than a message may hold."""
    if encoding != b"gzip":
        raise UnknownCompressionError(encoding=(encoding or b"(none)").decode("latin-1"))
    inflater = zlib.decompressobj(wbits=gzip.zlib.MAX_WBITS | 16)  # type: ignore[attr-defined]
    try:
        plain = inflater.decompress(message, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        raise MalformedRequestError(message="gzip") from None
    if len(plain) > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(size=f"more than {MAX_MESSAGE_BYTES}", limit=MAX_MESSAGE_BYTES)
    return plain


def deadline_of(text: bytes | None) -> float | None:
    """The moment on the monotonic clock that a `grpc-timeout` header stands for."""
    if text is None:
        return None
    unit, digits = _TIMEOUT_UNITS.get(text[-1:]), text[:-1]
    if unit is None or not digits.isdigit() or len(digits) > 8:
        raise InvalidFieldError(field="grpc-timeout", problem="is malformed")
    return time.monotonic() + int(digits) * unit


def status_headers(code: StatusCode, message: str = "", details: bytes = b"") -> Headers:
    """The trailers of a status."""
    number: int = code.value[0]
    headers = [(b"grpc-status", b"%d" % number)]
    if message:
        headers.append((b"grpc-message", quote(message, safe=" !#$&'()*+,/:;=?@[]~").encode()))
    if details:
        headers.append((b"grpc-status-details-bin", b64encode(details).rstrip(b"=")))
    return headers


def wire_metadata(pairs: Headers) -> Headers:
    """Metadata as it travels: values of `-bin` names in base64."""
    return [
        (name, b64encode(value).rstrip(b"=") if name.endswith(b"-bin") else value)
        for name, value in pairs
    ]
