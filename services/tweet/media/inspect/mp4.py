"""MP4: the boxes are walked and checked; what is not needed to play becomes empty space in place.

ISO/IEC 14496-12. Nothing moves, so every offset in the file stays right.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..domain_formats import MAX_SIDE, MP4
from .findings import BrokenError, Findings, TooManyPixelsError, picture_of
from .samples import erase, erase_samples

TOP_LEVEL = {
    *(b"ftyp", b"styp", b"moov", b"moof", b"mfra", b"mdat", b"sidx", b"ssix", b"prft", b"pdin"),
    *(b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"emsg"),
}
EMPTIED = {b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"emsg"}
"""Boxes for users' and makers' own data, places among them, and for nothing at all."""
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"edts"}
MAX_BOXES, MAX_TABLE_BYTES = 20_000, 16 << 20


class Box(NamedTuple):
    """A box: its type, where it begins, where its payload begins, and where it ends."""

    kind: bytes
    at: int
    body: int
    end: int


class Film:
    """What the boxes say, gathered on the way."""

    def __init__(self) -> None:
        self.boxes = 0
        self.duration_ms = 0
        self.width = 0
        self.height = 0
        self.media_bytes = 0


class Track:
    """A track while it is walked."""

    def __init__(self) -> None:
        self.handler = b""
        self.width = 0
        self.height = 0


def inspect(source: Path) -> Findings:
    """A film that plays, cleaned in place."""
    film = Film()
    with source.open("r+b") as file:
        try:
            _walk_file(file, source.stat().st_size, film)
        except struct.error:
            raise BrokenError("a box is shorter than its fields") from None
    if not film.width:
        raise BrokenError("there is no picture track")
    if not film.media_bytes:
        raise BrokenError("there is no media data")
    return Findings(
        picture_of(source, MP4.extension, film.width, film.height), (), film.duration_ms
    )


def _walk_file(file: BinaryIO, size: int, film: Film) -> None:
    kinds = []
    for box in _boxes(file, 0, size, film):
        if box.kind not in TOP_LEVEL:
            raise BrokenError(f"unknown box {box.kind!r} at {box.at}")
        kinds.append(box.kind)
        if box.kind == b"mdat":
            film.media_bytes += box.end - box.body
        elif box.kind in EMPTIED:
            _empty(file, box)
        elif box.kind in CONTAINERS:
            _walk(file, box, film, None)
    if kinds[:1] != [b"ftyp"] or kinds.count(b"moov") != 1:
        raise BrokenError("it must begin with ftyp and have one moov")


def _walk(file: BinaryIO, parent: Box, film: Film, track: Track | None) -> None:
    for box in _boxes(file, parent.body, parent.end, film):
        if box.kind in EMPTIED:
            _empty(file, box)
        elif box.kind == b"trak":
            _walk_track(file, box, film)
        elif box.kind in CONTAINERS:
            _walk(file, box, film, track)
        elif box.kind == b"mvhd":
            film.duration_ms = _movie_header(file, box)
        elif box.kind in {b"tkhd", b"mdhd"}:
            _clear_times(file, box)
        if track is not None and box.kind == b"tkhd":
            width, height = struct.unpack(">II", _read(file, box.end - 8, 8))
            track.width, track.height = width >> 16, height >> 16
        elif track is not None and box.kind == b"hdlr":
            track.handler = _read(file, box.body + 8, 4)


def _walk_track(file: BinaryIO, box: Box, film: Film) -> None:
    """Picture and sound stay; of any other track (places, captions, notes) nothing does."""
    track = Track()
    _walk(file, box, film, track)
    if track.handler == b"vide":
        if not (track.width and track.height):
            raise BrokenError("a picture track has no size")
        if max(track.width, track.height) > MAX_SIDE:
            raise TooManyPixelsError(track.width, track.height)
        film.width = max(film.width, track.width)
        film.height = max(film.height, track.height)
    elif track.handler != b"soun":
        erase_samples(file, _tables(file, box, film))
        _empty(file, box)


def _tables(file: BinaryIO, parent: Box, film: Film) -> dict[bytes, bytes]:
    """The sample tables of a track, by type."""
    found: dict[bytes, bytes] = {}
    for box in _boxes(file, parent.body, parent.end, film):
        if box.kind in CONTAINERS:
            found |= _tables(file, box, film)
        elif box.kind in {b"stsz", b"stsc", b"stco", b"co64"}:
            if box.end - box.body > MAX_TABLE_BYTES:
                raise BrokenError("a sample table is too large")
            found[box.kind] = _read(file, box.body, box.end - box.body)
    return found


def _boxes(file: BinaryIO, at: int, end: int, film: Film) -> Iterator[Box]:
    while at < end:
        film.boxes += 1
        if film.boxes > MAX_BOXES:
            raise BrokenError("it has too many boxes")
        head = _read(file, at, 8)
        size, kind, body = int.from_bytes(head[:4], "big"), head[4:], at + 8
        if size == 1:
            size, body = int.from_bytes(_read(file, body, 8), "big"), at + 16
        elif size == 0 and kind == b"mdat":  # to the end of the file
            size = end - at
        if size < body - at or at + size > end:
            raise BrokenError(f"box {kind!r} at {at} does not fit: the file may be cut")
        yield Box(kind, at, body, at + size)
        at += size


def _movie_header(file: BinaryIO, box: Box) -> int:
    """The playing time in milliseconds, 0 where it is not said."""
    _clear_times(file, box)
    if _read(file, box.body, 1) == b"\x01":
        scale, duration = struct.unpack(">IQ", _read(file, box.body + 20, 12))
    else:
        scale, duration = struct.unpack(">II", _read(file, box.body + 12, 8))
    unknown = duration in {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
    if not scale:
        raise BrokenError("its clock stands still")
    return 0 if unknown else min(duration * 1000 // scale, (1 << 31) - 1)


def _clear_times(file: BinaryIO, box: Box) -> None:
    """Forget when it was recorded."""
    long = _read(file, box.body, 1) == b"\x01"
    if box.end - box.body < (20 if long else 12):
        raise BrokenError(f"box {box.kind!r} is too short")
    file.seek(box.body + 4)
    file.write(bytes(16 if long else 8))


def _empty(file: BinaryIO, box: Box) -> None:
    """Make a box free space of the same size, filled with zeros."""
    file.seek(box.at + 4)
    file.write(b"free")
    erase(file, box.body, box.end)


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    found = file.read(size)
    if len(found) < size:
        raise BrokenError("the file is cut")
    return found
