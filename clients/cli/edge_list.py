"""Edge lists in SNAP's form: a pair of node numbers a line, `#` and `%` start comments."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clients.cli.errors import EdgeListError

MAX_NODE = 10**14 - 1
"""`u` and the number must make a user name of at most 15 characters."""


class EdgeList(NamedTuple):
    """The nodes in order of appearance, and who follows whom, without repeats and self-loops."""

    nodes: list[int]
    follows: list[tuple[int, int]]
    self_loops: int


def read_edge_list(file: Path, *, undirected: bool) -> EdgeList:
    """Read a file whole before anything is done with it; a malformed line is named by number.

    `a b` means that a follows b; `undirected` reads it as two follows, one each way.
    """
    follows: dict[tuple[int, int], None] = {}
    nodes: dict[int, None] = {}
    self_loops = 0
    for a, b in _pairs(file):
        nodes[a] = nodes[b] = None
        if a == b:
            self_loops += 1
            continue
        follows[a, b] = None
        if undirected:
            follows[b, a] = None
    return EdgeList(list(nodes), list(follows), self_loops)


def _pairs(file: Path) -> Iterator[tuple[int, int]]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            words = line.replace(",", " ").split()
            if not words or words[0][0] in "#%":
                continue
            if len(words) != 2:
                raise EdgeListError(file, number, line.strip(), "is not a pair of nodes")
            for word in words:
                if not (word.isascii() and word.isdigit() and int(word) <= MAX_NODE):
                    raise EdgeListError(file, number, line.strip(), f"has no node number {word!r}")
            yield int(words[0]), int(words[1])
