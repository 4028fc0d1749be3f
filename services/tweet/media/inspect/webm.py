"""WebM: the elements are walked and checked; what is not needed to play becomes empty in place.

RFC 8794 (EBML) and RFC 9559 (Matroska). Streams as browsers record them, whose segment and
clusters do not say how long they are, are accepted.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..domain_formats import MAX_SIDE, WEBM
from .findings import BrokenError, Findings, TooManyPixelsError, picture_of
from .samples import erase

EBML, SEGMENT, CLUSTER, INFO, TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1549A966, 0x1654AE6B
SEEK_HEAD, CUES, VOID, CRC = 0x114D9B74, 0x1C53BB6B, 0xEC, 0xBF
EMPTIED = {0x1254C367, 0x1941A469, 0x1043A770, VOID}
"""Tags, attachments, chapters, and what is empty already."""
INFO_EMPTIED = {0x7BA9, 0x4461, 0x73A4, 0x7384, 0x3CB923, 0x3C83AB, 0x3EB923, 0x3E83BB}
"""Title, date, and the names of this and the neighbouring segments and files."""
IN_CLUSTER = {0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0x5854, VOID, CRC}
LEVEL_ONE = frozenset({SEEK_HEAD, CUES, CLUSTER, INFO, TRACKS, CRC} | EMPTIED)
SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK, TRACK_NAME, VIDEO, WIDTH, HEIGHT = 0xAE, 0x536E, 0xE0, 0xB0, 0xBA
MAX_ELEMENTS = 500_000


class Element(NamedTuple):
    """An element: its id, where it and its payload begin, and where it ends (-1 if not said)."""

    id: int
    at: int
    body: int
    end: int


class Film:
    """What the elements say, gathered on the way."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.elements = 0
        self.scale = 1_000_000
        self.duration = 0.0
        self.width = 0
        self.height = 0
        self.clusters = 0


def inspect(source: Path) -> Findings:
    """A film that plays, cleaned in place."""
    film = Film(source.stat().st_size)
    with source.open("r+b") as file:
        _walk_file(file, film)
    if not film.width or not film.height:
        raise BrokenError("there is no picture track")
    if max(film.width, film.height) > MAX_SIDE:
        raise TooManyPixelsError(film.width, film.height)
    if not film.clusters:
        raise BrokenError("there is no media data")
    duration = int(min(max(film.duration * film.scale / 1_000_000, 0), (1 << 31) - 1))
    return Findings(picture_of(source, WEBM.extension, film.width, film.height), (), duration)


def _walk_file(file: BinaryIO, film: Film) -> None:
    head = _element(file, 0, film.size, film)
    if head.id != EBML or head.end < 0:
        raise BrokenError("it does not begin with an EBML header")
    segment = _element(file, head.end, film.size, film)
    while segment.id == VOID:
        _empty(file, segment)
        segment = _element(file, segment.end, film.size, film)
    if segment.id != SEGMENT:
        raise BrokenError("there is no segment")
    if segment.end not in {-1, film.size}:
        raise BrokenError("something follows the segment")
    for element in _elements(file, segment.body, film.size, film, LEVEL_ONE):
        _level_one(file, element, film)


def _level_one(file: BinaryIO, element: Element, film: Film) -> None:
    if element.id in EMPTIED:
        _empty(file, element)
    elif element.id == INFO:
        _walk_info(file, element, film)
    elif element.id == TRACKS:
        _walk_tracks(file, element, film)
    elif element.id == CLUSTER:
        film.clusters += 1


def _walk_info(file: BinaryIO, parent: Element, film: Film) -> None:
    for element in _elements(file, parent.body, parent.end, film):
        if element.id in INFO_EMPTIED:
            _empty(file, element)
        elif element.id == SCALE:
            film.scale = _number(file, element)
        elif element.id == DURATION:
            film.duration = _float(file, element)


def _walk_tracks(file: BinaryIO, parent: Element, film: Film) -> None:
    for element in _elements(file, parent.body, parent.end, film):
        if element.id in {TRACK, VIDEO}:
            _walk_tracks(file, element, film)
        elif element.id == TRACK_NAME:
            _empty(file, element)
        elif element.id == WIDTH:
            film.width = max(film.width, _number(file, element))
        elif element.id == HEIGHT:
            film.height = max(film.height, _number(file, element))


def _elements(
    file: BinaryIO, at: int, end: int, film: Film, known: frozenset[int] = frozenset()
) -> Iterator[Element]:
    """The children of an element, those of a cluster without a length among them.

    Where `known` is given, no others may be there.
    """
    while at < end:
        element = _element(file, at, end, film)
        if known and element.id not in known:
            raise BrokenError(f"unknown element {element.id:#x} at {at}")
        if element.end < 0:
            if element.id != CLUSTER:
                raise BrokenError(f"element {element.id:#x} at {at} does not say how long it is")
            known |= IN_CLUSTER
            at = element.body
        else:
            at = element.end
        yield element


def _element(file: BinaryIO, at: int, end: int, film: Film) -> Element:
    film.elements += 1
    if film.elements > MAX_ELEMENTS:
        raise BrokenError("it has too many elements")
    file.seek(at)
    head = file.read(12)
    id_length = _vint_length(head, 4)
    number = int.from_bytes(head[:id_length], "big")
    rest = head[id_length:]
    size_length = _vint_length(rest, 8)
    ones = (1 << (7 * size_length)) - 1
    size = int.from_bytes(rest[:size_length], "big") & ones
    body = at + id_length + size_length
    if size == ones:
        return Element(number, at, body, -1)
    if body + size > end:
        raise BrokenError(f"element {number:#x} at {at} does not fit: the file may be cut")
    return Element(number, at, body, body + size)


def _vint_length(data: bytes, maximum: int) -> int:
    """How many bytes a number of variable length has: as many as its first byte has zeros."""
    length = 9 - data[0].bit_length() if data else 9
    if length > maximum or len(data) < length:
        raise BrokenError("the file is cut, or no WebM")
    return length


def _empty(file: BinaryIO, element: Element) -> None:
    """Make an element a void of the same size, filled with zeros."""
    if element.end < 0:
        raise BrokenError("a void does not say how long it is")
    size = element.end - element.at
    length = 8 if size >= 9 else 1
    file.seek(element.at)
    file.write(bytes([VOID]))
    file.write((1 << (7 * length) | (size - 1 - length)).to_bytes(length, "big"))
    erase(file, element.at + 1 + length, element.end)


def _number(file: BinaryIO, element: Element) -> int:
    return int.from_bytes(_value(file, element), "big")


def _float(file: BinaryIO, element: Element) -> float:
    value = _value(file, element)
    if len(value) not in {4, 8}:
        return 0.0
    found: float = struct.unpack(">f" if len(value) == 4 else ">d", value)[0]
    return found if found == found and abs(found) < 1e15 else 0.0


def _value(file: BinaryIO, element: Element) -> bytes:
    size = element.end - element.body
    if not 0 <= size <= 8:
        raise BrokenError("a number is too long")
    file.seek(element.body)
    return file.read(size)
