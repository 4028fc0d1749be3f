"""Edge lists are read whole and strictly before anything is done with them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cli.edge_list import read_edge_list
from clients.cli.errors import EdgeListError

nodes = st.integers(0, 10**14 - 1)


def written(folder: Path, text: str) -> Path:
    file = folder / "graph.edges"
    file.write_text(text)
    return file


def test_directed_pairs_with_comments(tmp_path: Path) -> None:
    graph = read_edge_list(
        written(tmp_path, "# SNAP\n% matrix\n1 2\n\n2\t3\n3,1\n1 2\n"), undirected=False
    )
    assert graph.nodes == [1, 2, 3]
    assert graph.follows == [(1, 2), (2, 3), (3, 1)]


def test_undirected_pairs_are_two_follows(tmp_path: Path) -> None:
    graph = read_edge_list(written(tmp_path, "1 2\n2 1\n"), undirected=True)
    assert graph.follows == [(1, 2), (2, 1)]


def test_self_loops_are_counted_and_left_out(tmp_path: Path) -> None:
    graph = read_edge_list(written(tmp_path, "5 5\n5 6\n"), undirected=True)
    assert graph.self_loops == 1
    assert (5, 5) not in graph.follows


@pytest.mark.parametrize("line", ["1", "1 2 3", "a b", "1 -2", "1 2.5", "1 999999999999999"])
def test_a_malformed_line_is_named_by_number(tmp_path: Path, line: str) -> None:
    file = written(tmp_path, f"# first\n1 2\n{line}\n3 4\n")
    with pytest.raises(EdgeListError, match="line 3"):
        read_edge_list(file, undirected=False)


@given(st.lists(st.tuples(nodes, nodes), max_size=30))
def test_every_pair_is_a_follow(pairs: list[tuple[int, int]]) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"{a} {b}\n" for a, b in pairs)
        file.flush()
        graph = read_edge_list(Path(file.name), undirected=False)
    assert set(graph.follows) == {(a, b) for a, b in pairs if a != b}
    assert set(graph.nodes) == {node for pair in pairs for node in pair}
