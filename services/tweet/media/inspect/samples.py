"""Samples of a track: where they lie in the file, so that they can be erased there."""

import itertools
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from .findings import BrokenError

_ZEROS = bytes(1 << 16)


def erase(file: BinaryIO, at: int, end: int) -> None:
    """Overwrite with zeros."""
    file.seek(at)
    while at < end:
        at += file.write(_ZEROS[: end - at])


def erase_samples(file: BinaryIO, tables: Mapping[bytes, bytes]) -> None:
    """Overwrite every sample that a track's tables (`stsz`, `stsc`, `stco` or `co64`) name."""
    end = file.seek(0, 2)
    for at, size in _chunks(tables):
        if at < 16 or at + size > end:
            raise BrokenError("a sample lies outside of the file")
        erase(file, at, at + size)


def _chunks(tables: Mapping[bytes, bytes]) -> Iterator[tuple[int, int]]:
    """Where each chunk begins and how long it is."""
    if not {b"stsz", b"stsc"} <= tables.keys() or not {b"stco", b"co64"} & tables.keys():
        return
    form, width = (">Q", 8) if b"co64" in tables else (">I", 4)
    offsets = [at for (at,) in _entries(tables.get(b"co64", tables.get(b"stco", b"")), form, width)]
    sizes = _sizes(tables[b"stsz"])
    runs = list(_entries(tables[b"stsc"], ">III", 12))
    for number, at in enumerate(offsets, 1):
        while len(runs) > 1 and runs[1][0] <= number:
            runs.pop(0)
        count = runs[0][1] if runs else 0
        yield at, sum(itertools.islice(sizes, count))


def _sizes(table: bytes) -> Iterator[int]:
    size, count = struct.unpack_from(">II", table, 4)
    if size:
        return itertools.repeat(size, count)
    return (each for (each,) in struct.iter_unpack(">I", _body(table, 12, count, 4)))


def _entries(table: bytes, form: str, width: int) -> Iterator[tuple[int, ...]]:
    (count,) = struct.unpack_from(">I", table, 4)
    return struct.iter_unpack(form, _body(table, 8, count, width))


def _body(table: bytes, at: int, count: int, width: int) -> bytes:
    if at + count * width > len(table):
        raise BrokenError("a sample table is shorter than it says")
    return table[at : at + count * width]
