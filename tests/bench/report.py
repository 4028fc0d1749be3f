"""Results as JSON, and as tables in Markdown."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from .asked import verdicts
from .figures import Figure, Results
from .stats import spread


def document(results: Results, machine: Mapping[str, str], options: Mapping[str, Any]) -> Any:
    """Everything as JSON's types; figures with their ratios to their limits."""
    return {
        "machine": dict(machine),
        "options": dict(options),
        "figures": [_figure(figure, results) for figure in results.figures],
        "latencies": [asdict(latency) for latency in results.latencies],
        "curves": [asdict(curve) for curve in results.curves],
        "asked": [asdict(verdict) for verdict in verdicts(results)],
    }


def write(found: Any, file: Path) -> None:
    """Keep a document."""
    file.write_text(json.dumps(found, indent=1) + "\n")


def markdown(results: Results, machine: Mapping[str, str]) -> str:
    """All tables."""
    parts = [
        ", ".join(f"{name} {value}" for name, value in machine.items()),
        _table(
            ("figure", "median", "spread", "limit in the same rounds", "ratio"),
            (line for figure in results.figures for line in _lines(figure, results)),
        ),
        _table(
            ("latency, ms", "calls/s", "p50", "p99", "p99.9", "the generator was late (p99)"),
            (
                (
                    each.title,
                    f"{each.rate:,.0f}",
                    *(f"{each.median(part):,.1f}" for part in ("p50", "p99", "p99_9")),
                    f"{each.median('late_p99'):.1f}" if "late_p99" in each.rounds[0] else "",
                )
                for each in results.latencies
            ),
        ),
        *(
            _table(
                (curve.x_title, f"{curve.title} ({curve.unit})", "spread"),
                (
                    (f"{x:,}", _number(median(values)), f"{spread(values):.0%}")
                    for x, values in sorted(curve.points.items())
                ),
            )
            for curve in results.curves
        ),
        _table(
            ("asked", "bound", "reached", ""),
            (
                (each.text, each.bound, _number(each.reached), "met" if each.met else "**missed**")
                for each in verdicts(results)
            ),
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _lines(figure: Figure, results: Results) -> Iterator[tuple[str, ...]]:
    """A line with the first limit, and one more for each further limit."""
    value = f"{_number(figure.median)} {figure.unit}"
    head = (figure.title, value, f"{figure.spread:.0%}")
    known = [limit for limit in figure.limits if results.figure(limit)]
    if not known:
        yield (*head, "", "")
    for limit in known:
        other, ratio = results.figure(limit), results.ratio(figure.name, limit)
        assert other is not None
        yield (*head, f"{other.title}, {_number(other.median)}", _number(ratio or 0.0))
        head = ("", "", "")


def _figure(figure: Figure, results: Results) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "median": figure.median,
        "spread": figure.spread,
        "rounds": figure.rounds,
        "ratios": {limit: results.ratio(figure.name, limit) for limit in figure.limits},
    }


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [f"| {' | '.join(line)} |" for line in lines]
    if not rows:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])


def _number(value: float) -> str:
    """Three significant digits below a hundred, whole numbers above."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
