"""Sizes and docstrings, held so that they are not a matter of taste."""

import ast
import statistics

from .sources import ROOT, sources

MAX_FILE, MEDIAN_FILE = 300, 120
MAX_FUNCTION, MEDIAN_FUNCTION = 50, 12


def test_files_are_small() -> None:
    sizes = {str(s.path.relative_to(ROOT)): s.lines for s in sources()}
    assert [name for name, lines in sizes.items() if lines > MAX_FILE] == []
    product = [lines for name, lines in sizes.items() if not name.startswith("tests") and lines > 5]
    assert statistics.median(product) <= MEDIAN_FILE


def test_functions_are_small() -> None:
    sizes = {}
    for source in sources():
        for node in source.functions():
            assert node.end_lineno is not None
            sizes[f"{source.module}.{node.name}:{node.lineno}"] = node.end_lineno - node.lineno + 1
    assert [name for name, lines in sizes.items() if lines > MAX_FUNCTION] == []
    assert statistics.median(sizes.values()) <= MEDIAN_FUNCTION


def test_every_module_has_a_docstring() -> None:
    bare = [s.module for s in sources() if s.text.strip() and not ast.get_docstring(s.tree)]
    assert bare == []


def test_no_work_at_import_time() -> None:
    """A module's top level defines; it opens, connects and starts nothing."""
    forbidden = {"open", "connect", "run", "Popen", "create_task", "start", "from_url"}
    for source in sources():
        for node in source.tree.body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call):
                name = getattr(value.func, "attr", getattr(value.func, "id", ""))
                assert name not in forbidden, f"{source.module}:{node.lineno}"
