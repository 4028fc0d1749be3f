"""`aviary plan`: its arithmetic, its figures, and where they come from."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from clients.capacity import measured
from clients.capacity.planning import Options, plan
from clients.capacity.profiles import PROFILES
from clients.capacity.sheet import Section, evaluated, shown
from clients.cli import keys
from clients.cli import plan as command
from tests.bench.figures import Figure, Results, at_once
from tests.bench.report import document, write

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"


async def _unmeasured(_seconds: float) -> float:
    raise AssertionError("nothing is measured here")


def lines(sections: list[Section]) -> dict[tuple[str, str], float]:
    return {
        (part.title.split(" (")[0], each.title): each.value
        for part in sections
        for each in part.lines
    }


@pytest.mark.parametrize(
    ("working", "value"),
    [
        ("500,000,000 / 86,400", 500e6 / 86_400),
        ("max(3, ceil(1,000 / (300 x 0.5) x 3 / 2))", 10),
        ("max(3, ceil(2 / 2))", 3),
        ("2 x (1 + 2 - 0.5)", 5),
    ],
)
def test_a_working_is_worth_what_it_says(working: str, value: float) -> None:
    assert evaluated(working) == pytest.approx(value)


@pytest.mark.parametrize("working", ["open(1)", "a + 1", "'x' x 3", "2 ** 9", "(1).real"])
def test_anything_else_is_no_arithmetic(working: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        evaluated(working)


def test_document_000() -> None:
    found = lines(plan(PROFILES["seed000"], measured.load(), Options()))
    assert found["Load", "tweets"] == pytest.approx(5_787, rel=1e-3)
    assert found["Load", "timeline reads"] == pytest.approx(96_451, rel=1e-3)
    assert found["Load", "searches"] == pytest.approx(3_858, rel=1e-3)
    assert found["Load", "deliveries, peak"] == pytest.approx(57_870 * 3.1, rel=1e-2)
    # 100 million lists of 800 entries of 19.3 bytes.
    assert found["Redis", "home timelines"] == pytest.approx(1e8 * 800 * 19.3 / 2**30, rel=1e-2)
    assert found["SQL and media", "media in the object store"] == pytest.approx(1_825, rel=1e-2)
    assert found["Network", "pages to readers, at the peak"] == pytest.approx(41.1, rel=1e-2)


def test_document_003_and_its_peak() -> None:
    found = lines(plan(PROFILES["seed003"], measured.load(), Options()))
    assert found["Load", "timeline reads"] == pytest.approx(324_074, rel=1e-3)
    assert found["Load", "timeline reads, at the peak"] == pytest.approx(1e6, rel=1e-2)


@pytest.mark.parametrize("name", PROFILES)
def test_two_zones_do_the_peak(name: str) -> None:
    figures = measured.load()
    found = lines(plan(PROFILES[name], figures, Options(peak=2.0, utilisation=0.5)))
    reads = found["Load", "timeline reads, at the peak"]
    pods = found["Pods", "timeline-read"]
    assert pods * 2 / 3 * 0.5 * figures["home-grpc"].median >= reads
    assert (pods - 1.5) * 2 / 3 * 0.5 * figures["home-grpc"].median < reads


def test_figures_of_a_bench_take_the_place_of_the_written_ones(tmp_path: Path) -> None:
    figure = Figure("home-grpc", "home", "calls/s", _unmeasured, (), at_once, [100.0, 300.0, 200.0])
    write(document(Results([figure]), {"cores": "2"}, {}), tmp_path / "mine.json")
    figures = measured.load(tmp_path / "mine.json")
    assert figures["home-grpc"].median == 200
    assert figures["home-grpc"].source == "mine.json"
    assert figures["ingest"].source == "docs/performance.md"
    slow = lines(plan(PROFILES["seed001"], figures, Options()))
    fast = lines(plan(PROFILES["seed001"], measured.load(), Options()))
    assert slow["Pods", "timeline-read"] > 40 * fast["Pods", "timeline-read"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": [{"name": "x"}]}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(measured.FiguresError, match=r"x\.json"):
        measured.load(tmp_path / "x.json")


def test_the_written_figures_are_the_page_s() -> None:
    page = PERFORMANCE.read_text()
    for figure in measured.load().values():
        assert shown(figure.median) in page, figure


def run(*arguments: str) -> str:
    app = typer.Typer()
    command.register(app)
    keys.register(app)
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_shows_its_arithmetic_and_the_contradictions() -> None:
    text = run("plan", "--profile", "seed001", "--search-days", "2")
    assert "600,000 x 3.1" in text
    assert "Search (2 days of tweets)" in text
    assert "10 x 365 x 5 TB is 18.25 PB" in text


def test_keys_for_a_secret(tmp_path: Path) -> None:
    run("keys", str(tmp_path))
    assert {file.name for file in tmp_path.iterdir()} == {"signing.pem", "jwks.json", "vapid.pem"}
    first = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    (tmp_path / "signing.pem").unlink()
    run("keys", str(tmp_path))
    both = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert len(both) == 2
    assert first[0] in both
