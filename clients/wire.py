"""Protobuf's wire format, as far as messages are passed on unread.

A frame is a serialized message as one element of a field: the field's tag, the length, the bytes.
Frames joined are a repeated field, so a page is put together without reading what is on it.
"""

FIRST = b"\x0a"
"""Tag of a field 1 that holds messages."""


def tag_of(field: int) -> bytes:
    """The tag of a length-delimited field; its number is below 16."""
    return bytes([field << 3 | 2])


def frame(tag: bytes, message: bytes) -> bytes:
    """A serialized message as one element of a field."""
    length = len(message)
    if length < 0x80:
        return b"%b%c%b" % (tag, length, message)
    if length < 0x4000:
        return b"%b%c%c%b" % (tag, length & 0x7F | 0x80, length >> 7, message)
    size = bytearray()
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return b"%b%b%c%b" % (tag, bytes(size), length, message)


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
