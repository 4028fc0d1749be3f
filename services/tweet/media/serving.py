"""Content as HTTP serves it: whole, a range of it, or not again (RFC 9110)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .domain_formats import TYPES

IMMUTABLE = b"public, max-age=31536000, immutable"
KEY = re.compile(r"[0-9a-f]{64}\.(%s)" % "|".join(TYPES))  # noqa: UP031 - braces are the pattern's
_RANGE = re.compile(rb"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)
_HEADERS = [
    (b"cache-control", IMMUTABLE),
    (b"accept-ranges", b"bytes"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"content-disposition", b"inline"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
STATUS, LENGTH = b"x-aviary-status", b"x-aviary-content-length"
"""What gRPC has no place for; the edge (`content_status` in envoy/edge.yaml) puts it right."""


class Answer(NamedTuple):
    """How a request for content is answered: the bytes from `start` to before `end`."""

    status: int
    start: int
    end: int


def answer_to(headers: Mapping[bytes, bytes], key: str, size: int) -> Answer:
    """What a request's conditions and range come to."""
    tag = etag(key)
    if _matches(headers.get(b"if-none-match", b""), tag):
        return Answer(304, 0, 0)
    whole = Answer(200, 0, size)
    match = _RANGE.fullmatch(headers.get(b"range", b""))
    if match is None or headers.get(b"if-range", tag) != tag:
        return whole
    first, last = match[1], match[2]
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return whole
    return Answer(206, start, end) if start < end else Answer(416, 0, 0)


def headers_of(answer: Answer, key: str, size: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer to a caller over HTTP."""
    headers = [*_HEADERS, (b"etag", etag(key)), (STATUS, b"%d" % answer.status)]
    if answer.status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (answer.start, answer.end - 1, size)))
    elif answer.status == 416:
        headers.append((b"content-range", b"bytes */%d" % size))
    if answer.status != 304:
        headers.append((LENGTH, b"%d" % (answer.end - answer.start)))
    return headers


def etag(key: str) -> bytes:
    """The entity tag: the hash in the key."""
    return b'"%s"' % key.partition(".")[0].encode()


def content_type_of(key: str) -> str:
    """The type of an object, by its key; empty for what is no key."""
    return TYPES[key.partition(".")[2]].content_type if KEY.fullmatch(key) else ""


def _matches(header: bytes, tag: bytes) -> bool:
    named = [each.strip().removeprefix(b"W/") for each in header.split(b",")]
    return b"*" in named or tag in named
