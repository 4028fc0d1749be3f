"""Lists of ids as services hand them on: 8 bytes each, big-endian, joined, ascending."""

from bisect import bisect_left

ID_BYTES = 8


def holds(packed: bytes, one: int) -> bool:
    """Whether an id is in a list."""

    def id_at(index: int) -> int:
        return int.from_bytes(packed[ID_BYTES * index : ID_BYTES * (index + 1)], "big")

    count = len(packed) // ID_BYTES
    index = bisect_left(range(count), one, key=id_at)
    return index < count and id_at(index) == one
