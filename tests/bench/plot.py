# mypy: disable-error-code="import-not-found"
"""`python -m tests.bench.plot FILE OUT.svg`: the results of `--out FILE` as one picture.

Needs matplotlib (`pip install 'aviary[bench]'`). Text stays text, and the colours are readable on
white and on black, since a page may be either.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

INK, FAINT = "#7d8590", "#7d859055"
OURS, LIMIT, BASELINE = "#2f81f7", "#8b949e", "#d29922"
WIDTH, HEIGHT = 10.0, 2.4
BAR_COLUMNS, CURVE_COLUMNS = 2, 4
GROUPS = 4
"""Latencies of one panel."""
TITLE = 32
"""Letters of a curve's title in one line."""
LEGEND = "blue: Aviary; grey: limits from the same rounds; yellow: the FastAPI baseline"
BARS = {
    "Reading, calls/s": (
        "constant-grpc", "home-grpc", "home-grpcio", "constant-edge-rest", "home-rest",
        "home-rest-500", "baseline-home", "baseline-home-500",
    ),
    "Writing, calls/s": (
        "raw-insert-64", "raw-insert-16", "ingest", "post-grpc", "post-rest", "baseline-post",
    ),
    "Mixes of reads and posts, calls/s": (
        "mix-grpc", "mix-rest", "mix-rest-zipf", "baseline-mix", "baseline-mix-zipf",
    ),
    "Deliveries/s": ("raw-pipeline", "redis-py", "worker", "end-to-end"),
}  # fmt: skip
"""Panels of figures, by name."""
Panel = tuple[Callable[[Any, Any], None], str, Any]
"""How to paint, the title, and what."""
LIMITS = ("constant", "raw", "redis-py")


def draw(found: Mapping[str, Any], out: Path) -> None:
    """Draw every panel of which something was measured."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.rcParams.update(_style())
    figures = {each["name"]: each for each in found["figures"]}
    bars = {
        title: [figures[name] for name in names if name in figures] for title, names in BARS.items()
    }
    wide: list[Panel] = [(_bars, title, each) for title, each in bars.items() if each]
    for start in range(0, len(found["latencies"]), GROUPS):
        some = found["latencies"][start : start + GROUPS]
        wide.append((_latencies, "Milliseconds: p50, p99 and p99.9", some))
    narrow: list[Panel] = [
        (_curve, fill(f"{c['title']}, {c['unit']}", TITLE), c)
        for c in found["curves"]
        if c["points"]
    ]
    rows = [-(-len(wide) // BAR_COLUMNS), -(-len(narrow) // CURVE_COLUMNS)]
    picture = pyplot.figure(figsize=(WIDTH, 0.3 + HEIGHT * sum(rows)), layout="constrained")
    picture.suptitle(LEGEND, fontsize=8, x=0.01, ha="left")
    upper, lower = picture.subfigures(2, 1, height_ratios=[max(count, 0.01) for count in rows])
    _fill(upper, wide, BAR_COLUMNS)
    _fill(lower, narrow, CURVE_COLUMNS)
    picture.savefig(out, format=out.suffix[1:], transparent=out.suffix == ".svg")
    pyplot.close(picture)
    if out.suffix == ".svg":
        out.write_text(_small(out.read_text()))


def _fill(part: Any, panels: Sequence[Panel], columns: int) -> None:
    """A grid of panels."""
    if not panels:
        return
    axes = part.subplots(-(-len(panels) // columns), columns, squeeze=False)
    for place, (paint, title, data) in zip(axes.flat, panels, strict=False):
        place.set_title(title, loc="left", fontsize=9)
        paint(place, data)
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)


def _small(svg: str) -> str:
    """Without metadata, and with coordinates to a tenth of a point."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d)\d+", r"\1", tag[0]), svg)
    return re.sub(r"\n\s*", "\n", svg)


def _bars(place: Any, figures: Sequence[Mapping[str, Any]]) -> None:
    """Medians with the range of the rounds; limits grey, the baseline another colour."""
    values = [each["median"] for each in figures]
    lows = [each["median"] - min(each["rounds"]) for each in figures]
    highs = [max(each["rounds"]) - each["median"] for each in figures]
    names = [each["title"].removeprefix("baseline: ") for each in figures]
    spots = range(len(figures))
    place.barh(
        spots, values, xerr=[lows, highs], color=[_colour(each["name"]) for each in figures],
        height=0.7, error_kw={"ecolor": INK, "elinewidth": 1},
    )  # fmt: skip
    place.set_yticks(spots, [name.split(" (")[0] for name in names], fontsize=7)
    place.invert_yaxis()
    place.grid(axis="y", visible=False)
    place.margins(x=0.2)
    for spot, value, high in zip(spots, values, highs, strict=True):
        place.annotate(
            f"{value:,.0f}", (value + high, spot), (3, 0), textcoords="offset points",
            va="center", fontsize=7,
        )  # fmt: skip
    _thousands(place.xaxis)


def _latencies(place: Any, latencies: Sequence[Mapping[str, Any]]) -> None:
    """A group of three for each server and rate, on a logarithmic scale."""
    parts = {"p50": 0.45, "p99": 0.7, "p99_9": 1.0}
    for number, each in enumerate(latencies):
        values = [median(one[part] for one in each["rounds"]) for part in parts]
        for step, (value, depth) in enumerate(zip(values, parts.values(), strict=True)):
            spot = number + (step - 1) * 0.27
            colour = _colour(each["name"].removeprefix("latency-"))
            place.barh(spot, value, height=0.24, color=colour, alpha=depth)
            place.annotate(
                f"{value:,.3g}", (value, spot), (3, 0), textcoords="offset points",
                va="center", fontsize=6,
            )  # fmt: skip
    names = [
        f"{each['title'].removeprefix('baseline: ')}\n{each['rate']:,.0f}/s" for each in latencies
    ]
    place.set_yticks(
        range(len(latencies)), [name.replace(", at", ",\nat") for name in names], fontsize=7
    )
    place.invert_yaxis()
    place.set_xscale("log")
    place.minorticks_off()
    place.grid(axis="y", visible=False)
    place.margins(x=0.2)
    place.set_xlim(left=1)
    place.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _curve(place: Any, curve: Mapping[str, Any]) -> None:
    """Medians over a logarithmic x, with the range of the rounds."""
    points = sorted((int(x), values) for x, values in curve["points"].items())
    xs, rounds = [x for x, _ in points], [values for _, values in points]
    place.plot(xs, [median(values) for values in rounds], color=OURS, marker="o", markersize=3)
    place.fill_between(xs, list(map(min, rounds)), list(map(max, rounds)), color=OURS, alpha=0.2)
    place.set_xscale("log")
    place.set_ylim(bottom=0)
    place.set_xlabel(curve["x_title"], fontsize=8)
    place.set_xticks(xs, [_short(x) for x in xs], fontsize=7)
    place.minorticks_off()
    _thousands(place.yaxis)


def _colour(name: str) -> str:
    return BASELINE if name.startswith("baseline") else LIMIT if name.startswith(LIMITS) else OURS


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: _short(value))


def _short(value: float) -> str:
    return (
        f"{value / 1e6:g}M"
        if value >= 1e6
        else f"{value / 1e3:g}k"
        if value >= 1e3
        else f"{value:g}"
    )


def _style() -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "aviary",
        "font.family": "sans-serif",
        "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.5,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
    }


def main(arguments: Sequence[str]) -> int:
    """Draw; the exit code."""
    if len(arguments) != 2:
        print("usage: python -m tests.bench.plot FILE OUT.svg", file=sys.stderr)
        return 2
    try:
        draw(json.loads(Path(arguments[0]).read_text()), Path(arguments[1]))
    except ImportError:
        print("needs matplotlib: pip install 'aviary[bench]'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
