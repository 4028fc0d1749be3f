"""Pages: sizes, and tokens that are bound to the call that gave them out.

A token holds the last item's keyset position and a fingerprint of the call's other parameters, so
that it is refused under other ones. It is opaque, not secret: it says what the page said.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from google.protobuf.message import DecodeError

from aviary.page.v1.page_token_pb2 import PageToken

from .errors import NegativePageSizeError, PageTokenError

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_ID = (1 << 63) - 1
"""What the newest of a list comes below."""
Row = TypeVar("Row")


def page_size_of(requested: int) -> int:
    """Items on a page: 20 when the request says nothing, at most 100."""
    if requested < 0:
        raise NegativePageSizeError(page_size=requested)
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(position: Sequence[int], *call: object, snapshot: bytes = b"") -> str:
    """The token that continues after `position` in the call with these parameters.

    `snapshot` is the frozen order of a ranked list: packed ids that are still to be handed out.
    """
    token = PageToken(fingerprint=_fingerprint(call), position=position, ranking_snapshot=snapshot)
    return urlsafe_b64encode(token.SerializeToString()).decode().rstrip("=")


def cut_page(
    rows: Sequence[Row], size: int, place: Callable[[Row], int], *call: object
) -> tuple[Sequence[Row], str]:
    """What is on a page and the next one's token (empty: none), of one row more than it has.

    `place` is what a row of a list with one key stands at.
    """
    page = rows[:size]
    return page, encode_page_token([place(page[-1])], *call) if len(rows) > size else ""


def decode_page_token(text: str, *call: object) -> tuple[int, ...]:
    """The position in a token, empty for the first page; refused under other parameters."""
    return decode_ranked_token(text, *call)[0]


def decode_key(text: str, *call: object, first: int = MAX_ID) -> int:
    """Where a page of a list with one key begins; `first` without a token."""
    position = decode_page_token(text, *call) or (first,)
    if len(position) > 1 or position[0] < 0:
        raise PageTokenError
    return position[0]


def decode_ranked_token(text: str, *call: object) -> tuple[tuple[int, ...], bytes]:
    """The position in a token and its snapshot, both empty for the first page."""
    if not text:
        return (), b""
    try:
        token = PageToken.FromString(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Base64Error, DecodeError, ValueError):
        raise PageTokenError from None
    if token.fingerprint != _fingerprint(call) or not token.position:
        raise PageTokenError
    return tuple(token.position), token.ranking_snapshot


@lru_cache(10_000)
def _fingerprint(call: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(repr(call).encode(), digest_size=8).digest()
